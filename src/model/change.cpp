#include "model/change.hpp"

#include "base/limits.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <tuple>

namespace dyad {
namespace {

using json::append_string;
using json_slices::append_integer;
using json_slices::Object;

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

Error damaged(Offset offset) {
    return fail(Errc::storage_damaged,
                "event " + std::to_string(offset) + ": its content is not well formed");
}

// data := {"action":…,"closed":[ids],"context":{…},"opened":[conflicts],"previousVersion":N,
//          "strategy":…}
void encode(std::string& out, const ContextChange& change) {
    out.append("{\"action\":\"").append(context_action_name(change.action)).append("\"");
    if (!change.conflicts_closed.empty()) {
        out.append(",\"closed\":[");
        for (const std::string& id : change.conflicts_closed) {
            if (&id != change.conflicts_closed.data()) out += ',';
            append_string(out, id);
        }
        out += ']';
    }
    out.append(",\"context\":");
    write_context(out, *change.context);
    if (!change.conflicts_opened.empty()) {
        out.append(",\"opened\":[");
        for (const Conflict& conflict : change.conflicts_opened) {
            if (&conflict != change.conflicts_opened.data()) out += ',';
            write_conflict(out, conflict);
        }
        out += ']';
    }
    out.append(",\"previousVersion\":");
    append_integer(out, change.previous_version);
    out.append(",\"strategy\":\"").append(merge_strategy_name(change.strategy)).append("\"}");
}

Result<Change> decode_context(const EventView& event) {
    const auto object = Object::read(event.data);
    if (!object) return damaged(event.offset);
    ContextChange change;
    const auto action = context_action_by_name(object->string("action").value_or(""));
    const auto strategy = merge_strategy_by_name(object->string("strategy").value_or(""));
    const auto previous = object->integer("previousVersion");
    const auto document = object->raw("context");
    if (!action || !strategy || !previous || !document) return damaged(event.offset);
    Result<Context> context = read_context(*document);
    if (!context) return context.error();
    change.action = *action;
    change.strategy = *strategy;
    change.previous_version = static_cast<Version>(*previous);
    change.context = std::make_shared<const Context>(*std::move(context));
    change.conflicts_closed = object->strings("closed");
    if (const auto opened = object->raw("opened")) {
        const auto items = json_slices::elements(*opened);
        if (!items) return damaged(event.offset);
        for (std::string_view item : *items) {
            Result<Conflict> conflict = read_conflict(item);
            if (!conflict) return conflict.error();
            change.conflicts_opened.push_back(*std::move(conflict));
        }
    }
    return Change(std::move(change));
}

void fold_context(State& state, const ContextChange& change) {
    const Context& next = *change.context;
    auto [at, fresh] = state.contexts.try_emplace(next.key);
    if (!fresh && !at->second->deleted) {
        const Context& previous = *at->second;
        state.live_contexts -= 1;
        state.live_bytes -= previous.data.size();
        if (previous.expires_at_ms) state.expiries.erase({*previous.expires_at_ms, previous.key});
    }
    at->second = change.context;
    if (!next.deleted) {
        state.live_contexts += 1;
        state.live_bytes += next.data.size();
        if (next.expires_at_ms) state.expiries.emplace(*next.expires_at_ms, next.key);
    }
    for (const std::string& id : change.conflicts_closed)
        state.conflicts.erase(id);
    for (const Conflict& conflict : change.conflicts_opened)
        state.conflicts.insert_or_assign(conflict.id, conflict);
}

}  // namespace

EventKind kind_of(const Change& change) noexcept {
    return std::visit(Overloaded{[](const ContextChange&) { return EventKind::context_changed; },
                                 [](const ModeChange&) { return EventKind::mode_changed; },
                                 [](const ResponseChange&) { return EventKind::response_recorded; },
                                 [](const McpChange& mcp) { return mcp.kind; }},
                      change);
}

std::string scope_of(const Change& change) {
    return std::visit(Overloaded{[](const ContextChange& c) { return "ctx:" + c.context->key; },
                                 [](const ModeChange& m) { return "mode:" + m.state.instance_id; },
                                 [](const ResponseChange& r) {
                                     return "response:" + r.record.chat_id + "/" +
                                            r.record.message_id;
                                 },
                                 [](const McpChange&) { return std::string("mcp"); }},
                      change);
}

std::string encode_change(const Change& change) {
    std::string out;
    std::visit(Overloaded{[&](const ContextChange& c) {
                              out.reserve(c.context->data.size() + 384);
                              encode(out, c);
                          },
                          [&](const ModeChange& m) { write_mode(out, m.state); },
                          [&](const ResponseChange& r) { write_response(out, r.record); },
                          [&](const McpChange& m) { out = m.payload; }},
               change);
    return out;
}

Result<Change> decode_change(const EventView& event) {
    switch (event.kind) {
        case EventKind::context_changed:
            return decode_context(event);
        case EventKind::mode_changed: {
            Result<ModeState> state = read_mode(event.data);
            if (!state) return state.error();
            return Change(ModeChange{*std::move(state)});
        }
        case EventKind::response_recorded: {
            Result<ResponseRecord> record = read_response(event.data);
            if (!record) return record.error();
            return Change(ResponseChange{*std::move(record)});
        }
        case EventKind::mcp_tool_executed:
        case EventKind::mcp_server_added:
        case EventKind::mcp_server_removed:
            return Change(McpChange{event.kind, std::string(event.data)});
    }
    return damaged(event.offset);
}

ContextPtr State::find(std::string_view key) const {
    const auto at = contexts.find(key);
    return at == contexts.end() ? nullptr : at->second;
}

void fold(State& state, const Change& change) {
    std::visit(Overloaded{[&](const ContextChange& c) { fold_context(state, c); },
                          [&](const ModeChange& m) {
                              state.modes.insert_or_assign(m.state.instance_id, m.state);
                          },
                          [](const ResponseChange&) {}, [](const McpChange&) {}},
               change);
}

ResponseRecord merge_responses(const ResponseRecord& stored, const ResponseRecord& addition) {
    ResponseRecord merged = addition;
    for (const ResponseSource& old : stored.sources) {
        const bool newer = std::any_of(
            addition.sources.begin(), addition.sources.end(), [&](const ResponseSource& source) {
                return source.provider == old.provider && source.model == old.model &&
                       source.type == old.type;
            });
        if (!newer && merged.sources.size() < limits::response_sources_max)
            merged.sources.push_back(old);
    }
    std::sort(merged.sources.begin(), merged.sources.end(),
              [](const ResponseSource& a, const ResponseSource& b) {
                  return std::tie(a.timestamp_ms, a.provider, a.model, a.type) <
                         std::tie(b.timestamp_ms, b.provider, b.model, b.type);
              });
    if (!merged.local_provider) merged.local_provider = stored.local_provider;
    if (!merged.external_provider) merged.external_provider = stored.external_provider;
    if (!merged.harmonization_strategy)
        merged.harmonization_strategy = stored.harmonization_strategy;
    return merged;
}

}  // namespace dyad

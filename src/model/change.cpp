#include "model/change.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <tuple>

namespace dyad {
namespace {

using json::Writer;
using json_slices::Object;

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

Error damaged(Offset offset) {
    return fail(Errc::storage_damaged,
                "event " + std::to_string(offset) + ": its content is not well formed");
}

// Beside the context's own data.
constexpr std::size_t kContextChangeBytes = 416;
constexpr std::size_t kOtherChangeBytes = 768;

// data := {"action":…,"closed":[ids],"context":{…},"opened":[conflicts],"previousVersion":N,
//          "strategy":…}
void write(Writer& out, const ContextChange& change) {
    out.raw(R"({"action":")").raw(context_action_name(change.action));
    if (!change.conflicts_closed.empty())
        out.raw(R"(","closed":)").strings(change.conflicts_closed).raw(R"(,"context":)");
    else
        out.raw(R"(","context":)");
    write(out, *change.context);
    if (!change.conflicts_opened.empty()) {
        out.raw(R"(,"opened":[)");
        for (const Conflict& conflict : change.conflicts_opened) {
            if (&conflict != change.conflicts_opened.data()) out.raw(",");
            write(out, conflict);
        }
        out.raw("]");
    }
    out.raw(R"(,"previousVersion":)").integer(change.previous_version);
    out.raw(R"(,"strategy":")").raw(merge_strategy_name(change.strategy)).raw("\"}");
}

void write(Writer& out, const Change& change) {
    std::visit(Overloaded{[&](const ContextChange& c) { write(out, c); },
                          [&](const ModeChange& m) { write(out, m); },
                          [&](const ResponseChange& r) { write(out, r.record); },
                          [&](const McpChange& m) { out.raw(std::string_view(m.payload)); }},
               change);
}

// About how many bytes write() writes.
std::size_t expected_bytes(const Change& change) {
    const auto* context = std::get_if<ContextChange>(&change);
    return context != nullptr ? kContextChangeBytes + context->context->data.size()
                              : kOtherChangeBytes;
}

void append_scope(std::string& out, const Change& change) {
    std::visit(
        Overloaded{[&](const ContextChange& c) { out.append("ctx:").append(c.context->key); },
                   [&](const ModeChange& m) { out.append("mode:").append(m.state.instance_id); },
                   [&](const ResponseChange& r) {
                       out.append("response:").append(r.record.chat_id);
                       out.append("/").append(r.record.message_id);
                   },
                   [&](const McpChange& m) {
                       out.append(m.kind == EventKind::event_lost ? "lost" : "mcp");
                   }},
        change);
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

// When a live context expires; nothing where it does not, and where there is none.
std::optional<std::int64_t> expiry_of(const Context* context) {
    return context != nullptr && !context->deleted ? context->expires_at_ms : std::nullopt;
}

void move_expiry(State& state, const std::string& key, std::optional<std::int64_t> from,
                 std::optional<std::int64_t> to) {
    if (from == to) return;
    if (!from) {
        state.expiries.emplace(*to, key);
        return;
    }
    const auto at = state.expiries.find(std::pair<std::int64_t, std::string_view>(*from, key));
    CHECK(at != state.expiries.end());
    if (!to) {
        state.expiries.erase(at);
        return;
    }
    auto entry = state.expiries.extract(at);
    entry.value().first = *to;
    state.expiries.insert(state.expiries.end(), std::move(entry));  // most are the latest now
}

void fold_context(State& state, const ContextChange& change) {
    const Context& next = *change.context;
    ContextPtr& current = state.contexts.try_emplace(next.key).first->second;
    move_expiry(state, next.key, expiry_of(current.get()), expiry_of(&next));
    if (current != nullptr && !current->deleted) {
        state.live_contexts -= 1;
        state.live_bytes -= current->data.size();
    }
    if (!next.deleted) {
        state.live_contexts += 1;
        state.live_bytes += next.data.size();
    }
    current = change.context;
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
    std::string scope;
    append_scope(scope, change);
    return scope;
}

std::string encode_change(const Change& change) {
    std::string out;
    {
        Writer writer(out, expected_bytes(change));
        write(writer, change);
    }
    return out;
}

void append_change(EventBatch& batch, LogHead& head, const Change& change, EventDraft draft) {
    thread_local std::string scope;
    scope.clear();
    append_scope(scope, change);
    draft.kind = kind_of(change);
    draft.scope = scope;
    append_event(batch, head, draft, expected_bytes(change),
                 [&change](Writer& out) { write(out, change); });
}

Result<Change> decode_change(const EventView& event) {
    switch (event.kind) {
        case EventKind::context_changed:
            return decode_context(event);
        case EventKind::mode_changed: {
            Result<ModeState> state = read_mode(event.data);
            if (!state) return state.error();
            const auto object = Object::read(event.data);
            return Change(ModeChange{*std::move(state), object->strings("forgotten")});
        }
        case EventKind::response_recorded: {
            Result<ResponseRecord> record = read_response(event.data);
            if (!record) return record.error();
            return Change(ResponseChange{*std::move(record)});
        }
        case EventKind::mcp_tool_executed:
        case EventKind::mcp_server_added:
        case EventKind::mcp_server_removed:
        case EventKind::event_lost:
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
                              for (const std::string& id : m.forgotten)
                                  state.modes.erase(id);
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

// /contexts, their versions, /search and /conflicts.
#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "model/change.hpp"
#include "server/problem.hpp"
#include "server/rest/call.hpp"

#include <algorithm>

namespace dyad::server::rest {
namespace {

Error no_context(const std::string& key) {
    return fail(Errc::not_found, "there is no context \"" + key + "\"");
}

// A cursor is the last key of the page before, in a form that nobody takes for a key.
std::string cursor_of(std::string_view key) {
    return to_hex(as_bytes(key));
}
Result<std::string> after_cursor(const Call& call) {
    const std::string cursor = call.query("cursor").value_or("");
    std::string key(cursor.size() / 2, '\0');
    if (!read_hex(cursor, {reinterpret_cast<std::uint8_t*>(key.data()), key.size()}))
        return fail(Errc::invalid_field, "cursor: must be the `next` of the page before");
    return key;
}

// What a list of contexts is asked for.
struct Wanted {
    std::optional<std::string> type, tag, prefix, mode;
    std::int64_t since_ms = 0;
    std::string after;
    std::size_t limit = 0;

    bool has(const Context& context) const {
        return context.updated_at_ms >= since_ms && (!type || *type == name_of(context.type)) &&
               (!prefix || context.key.starts_with(*prefix)) && (!mode || *mode == context.mode) &&
               (!tag ||
                std::find(context.tags.begin(), context.tags.end(), *tag) != context.tags.end());
    }
};

Result<Wanted> wanted_by(const Call& call) {
    Wanted wanted{.type = call.query("type"),
                  .tag = call.query("tag"),
                  .prefix = call.query("prefix"),
                  .mode = call.query("mode")};
    if (wanted.type && !by_name<ContextType>(*wanted.type))
        return fail(Errc::invalid_field, "type: must be " + any_of_names<ContextType>());
    if (wanted.mode && !by_name<Mode>(*wanted.mode))
        return fail(Errc::invalid_field, "mode: must be " + any_of_names<Mode>());
    ASSIGN_OR_RETURN(wanted.limit, call.query_limit());
    ASSIGN_OR_RETURN(wanted.since_ms, call.query_time("updatedSince", 0));
    ASSIGN_OR_RETURN(wanted.after, after_cursor(call));
    return wanted;
}

void write_list(Call& call, const core::Snapshot& snapshot, const Wanted& wanted) {
    const auto after = [](const std::string& key, const ContextPtr& c) { return key < c->key; };
    auto at =
        std::upper_bound(snapshot.contexts.begin(), snapshot.contexts.end(), wanted.after, after);
    const Context* last = nullptr;
    net::Headers headers;
    std::string text = json::written(kAnswerBytes, [&](json::Writer& out) {
        out.raw("{\"contexts\":[");
        for (std::size_t count = 0; at != snapshot.contexts.end(); ++at) {
            if (!wanted.has(**at)) continue;
            if (count++ == wanted.limit || Call::is_full(out)) break;
            if (last != nullptr) out.raw(",");
            write(out, **at);
            last = at->get();
        }
        out.raw("],\"next\":");
        if (at != snapshot.contexts.end()) {
            const std::string cursor = cursor_of(last->key);
            headers = call.next_link("cursor", cursor);
            out.string(cursor);
        } else {
            out.raw("null");
        }
        out.raw(",\"position\":").string(snapshot.position.to_string()).raw("}");
    });
    call.json_text(std::move(text), std::move(headers));
}

// 201 where the event says that the context was created; a repeated request gets the status it got
// first.
int written(const Reply& reply) {
    return reply.result.starts_with(R"({"action":"created")") ? 201 : 200;
}

void submit(Call& call, std::string_view op,
            wire::Given::Payload payload = wire::Given::Payload::members) {
    call.submit({.op = op, .payload = payload, .context_key = call.segments[1]}, written);
}

void write_history(Call& call, const std::vector<HistoryItem>& items, std::size_t limit) {
    call.page_of("versions", items, limit, [](json::Writer& out, const HistoryItem& item) {
        out.object("action", item.action, "context", item.context, "offset", item.offset,
                   "timestamp", item.timestamp_ms);
    });
}

}  // namespace

void list_contexts(Call& call) {
    Result<Wanted> wanted = wanted_by(call);
    if (!wanted) return call.problem(wanted.error());
    call.with_state([wanted = *std::move(wanted)](Call& to, const SnapshotPtr& state) {
        write_list(to, *state, wanted);
    });
}

void read_context(Call& call) {
    const auto answer = [](Call& to, const ContextPtr& context) {
        if (!context || context->deleted) return to.problem(no_context(to.segments[1]));
        to.json([&](json::Writer& out) { write(out, *context); },
                {{"ETag", entity_tag(context->version)}});
    };
    const Result<core::Freshness> fresh = call.freshness();
    if (!fresh) return call.problem(fresh.error());
    call.node().engine().context(call.user(), call.segments[1], call.then(answer), *fresh);
}

void put_context(Call& call) {
    submit(call, "context.put");
}

void delete_context(Call& call) {
    submit(call, "context.delete", wire::Given::Payload::nothing);
}

void restore_context(Call& call) {
    submit(call, "context.restore");
}

void patch_context(Call& call) {
    const std::string type = call.media_type();
    const bool merge = type == "application/merge-patch+json";
    if (!merge && type != "application/json-patch+json") {
        net::Response response = problem(fail(Errc::unsupported_media_type,
                                              "Content-Type: must be application/merge-patch+json "
                                              "or application/json-patch+json"),
                                         call.request().target);
        response.headers.emplace_back("Accept-Patch", kPatchTypes);
        return call.respond(std::move(response));
    }
    submit(call, merge ? "context.merge-patch" : "context.json-patch",
           wire::Given::Payload::document);
}

void list_history(Call& call) {
    const Result<PageRequest> page = call.page();
    if (!page) return call.problem(page.error());
    const auto answer = [limit = page->limit](Call& to, const std::vector<HistoryItem>& items) {
        if (!items.empty() || to.query("before")) return write_history(to, items, limit);
        // A context may be older than what is kept of the log.
        to.node().engine().context(to.user(), to.segments[1],
                                   to.then([limit](Call& last, const ContextPtr& found) {
                                       if (found == nullptr)
                                           return last.problem(no_context(last.segments[1]));
                                       write_history(last, {}, limit);
                                   }));
    };
    call.node().store().history(call.user(), call.segments[1], *page, call.then(answer));
}

void read_version(Call& call) {
    const auto number = whole_number("version", call.segments[3], 1);
    if (!number) return call.problem(number.error());
    call.node().store().read_version(call.user(), call.segments[1], static_cast<Version>(*number),
                                     call.then([](Call& to, const ContextPtr& context) {
                                         to.json([&](json::Writer& out) { write(out, *context); });
                                     }));
}

void search(Call& call) {
    const auto query = call.query("q");
    if (!query || query->empty()) return call.problem(fail(Errc::missing_field, "q: is required"));
    const auto limit = call.query_limit(20);
    if (!limit) return call.problem(limit.error());
    const auto answer = [](Call& to, const std::vector<SearchHit>& hits) {
        to.json([&](json::Writer& out) {
            out.raw("{\"hits\":");
            out.array(hits, [&out](const SearchHit& hit) {
                out.object("contextKey", hit.key, "score", hit.score, "snippet", hit.snippet);
            });
            out.raw("}");
        });
    };
    call.node().store().search(call.user(), *query, *limit, call.then(answer));
}

void list_conflicts(Call& call) {
    call.with_state([](Call& to, const SnapshotPtr& state) {
        const auto wanted = to.query("context");
        std::vector<const Conflict*> list;
        for (const Conflict& conflict : state->conflicts)
            if (!wanted || conflict.context_key == *wanted) list.push_back(&conflict);
        to.json([&](json::Writer& out) { out.object("conflicts", list); });
    });
}

void resolve_conflict(Call& call) {
    call.submit({.op = "conflict.resolve", .conflict_id = call.segments[1]},
                [](const Reply&) { return 200; });
}

}  // namespace dyad::server::rest

// /contexts, their versions, /search and /conflicts.
#include "base/limits.hpp"
#include "model/change.hpp"
#include "model/identity.hpp"
#include "model/json.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"
#include "server/rest/call.hpp"

#include <algorithm>
#include <charconv>

namespace dyad::server::rest {
namespace {

Error no_context(const std::string& key) {
    return fail(Errc::not_found, "there is no context \"" + key + "\"");
}

// A cursor is the last key of the page before, in a form that nobody takes for a key.
std::string cursor_of(std::string_view key) {
    return to_hex(as_bytes(key));
}
Result<std::string> after_cursor(const CallPtr& call) {
    const std::string cursor = call->query("cursor").value_or("");
    std::string key(cursor.size() / 2, '\0');
    if (!read_hex(cursor, {reinterpret_cast<std::uint8_t*>(key.data()), key.size()}))
        return fail(Errc::invalid_field, "cursor: must be the `next` of the page before");
    return key;
}

Status check_filters(const CallPtr& call) {
    if (const Status known =
            call->check_query({"type", "tag", "prefix", "mode", "updatedSince", "limit", "cursor"});
        !known)
        return known;
    if (const auto type = call->query("type"); type && !context_type_by_name(*type))
        return fail(Errc::invalid_field, "type: must be chat, project, mode or custom");
    if (const auto mode = call->query("mode"); mode && !mode_by_name(*mode))
        return fail(Errc::invalid_field, "mode: must be inspired, didactic or parallel");
    return Done{};
}

bool matches(const Context& context, const CallPtr& call) {
    if (const auto type = call->query("type"); type && *type != context_type_name(context.type))
        return false;
    if (const auto prefix = call->query("prefix"); prefix && !context.key.starts_with(*prefix))
        return false;
    if (const auto mode = call->query("mode"); mode && *mode != context.mode) return false;
    if (const auto tag = call->query("tag"))
        return std::find(context.tags.begin(), context.tags.end(), *tag) != context.tags.end();
    return true;
}

void list(const CallPtr& call) {
    if (const Status valid = check_filters(call); !valid) return call->problem(valid.error());
    const auto limit =
        call->query_integer("limit", limits::page_items_default, 1, limits::page_items_max);
    const auto since = call->query_time("updatedSince", 0);
    const Result<std::string> after = after_cursor(call);
    if (!limit) return call->problem(limit.error());
    if (!since) return call->problem(since.error());
    if (!after) return call->problem(after.error());
    call->node().engine().snapshot(
        call->user(), [call, limit = static_cast<std::size_t>(*limit), since = *since,
                       after = *after](Result<std::shared_ptr<const core::Snapshot>> result) {
            if (!result) return call->problem(result.error());
            const core::Snapshot& snapshot = **result;
            auto at = std::upper_bound(
                snapshot.contexts.begin(), snapshot.contexts.end(), after,
                [](const std::string& key, const ContextPtr& c) { return key < c->key; });
            std::string out = "{\"contexts\":[";
            std::size_t count = 0;
            std::string last;
            bool more = false;
            for (; at != snapshot.contexts.end(); ++at) {
                if ((*at)->updated_at_ms < since || !matches(**at, call)) continue;
                if (count == limit ||
                    out.size() > static_cast<std::size_t>(limits::page_bytes_max)) {
                    more = true;
                    break;
                }
                if (count++ > 0) out += ',';
                write_context(out, **at);
                last = (*at)->key;
            }
            out.append("],\"next\":");
            if (more)
                json::append_string(out, cursor_of(last));
            else
                out.append("null");
            out.append(",\"position\":\"").append(snapshot.position.to_string()).append("\"}");
            call->json(std::move(out),
                       more ? call->next_link("cursor", cursor_of(last)) : net::Headers{});
        });
}

void read(const CallPtr& call, const std::string& key) {
    if (const Status known = call->check_query({}); !known) return call->problem(known.error());
    call->node().engine().context(
        call->user(), key, [call, key](Result<ContextPtr> found, Position) {
            if (!found) return call->problem(found.error());
            const ContextPtr& context = *found;
            if (!context || context->deleted) return call->problem(no_context(key));
            std::string out;
            write_context(out, *context);
            call->json(std::move(out), {{"ETag", entity_tag(context->version)}});
        });
}

// 201 where the event says that the context was created; a repeated request gets the status it got
// first.
void written(const CallPtr& call, const Reply& reply) {
    const auto result = json_slices::Object::read(reply.result);
    const bool created = result && result->string("action") ==
                                       std::string(context_action_name(ContextAction::created));
    call->written(reply, created ? 201 : 200);
}

void write(const CallPtr& call, std::string_view op, const std::string& key,
           wire::Given::Payload payload = wire::Given::Payload::members) {
    call->submit({.op = op, .payload = payload, .context_key = key},
                 [call](const Reply& reply) { written(call, reply); });
}

void patch(const CallPtr& call, const std::string& key) {
    const std::string type = call->media_type();
    const bool merge = type == "application/merge-patch+json";
    if (!merge && type != "application/json-patch+json") {
        net::Response response = problem_response(
            call->request(), fail(Errc::unsupported_media_type,
                                  "Content-Type: must be application/merge-patch+json or "
                                  "application/json-patch+json"));
        response.headers.emplace_back("Accept-Patch", kPatchTypes);
        return call->respond(std::move(response));
    }
    write(call, merge ? "context.merge-patch" : "context.json-patch", key,
          wire::Given::Payload::document);
}

void write_history(const CallPtr& call, const std::vector<HistoryItem>& items, std::size_t limit) {
    call->page_of("versions", items, limit, [](std::string& out, const HistoryItem& item) {
        out.append("{\"action\":\"").append(context_action_name(item.action));
        out.append("\",\"context\":");
        write_context(out, *item.context);
        out.append(",\"offset\":").append(std::to_string(item.offset));
        out.append(",\"timestamp\":").append(std::to_string(item.timestamp_ms));
        out += '}';
    });
}

void history(const CallPtr& call, const std::string& key) {
    if (const Status known = call->check_query({"before", "limit"}); !known)
        return call->problem(known.error());
    const Result<PageRequest> page = call->page();
    if (!page) return call->problem(page.error());
    call->node().store().history(
        call->user(), key, *page,
        [call, key, limit = page->limit](Result<std::vector<HistoryItem>> items) {
            if (!items) return call->problem(items.error());
            if (!items->empty() || call->query("before")) return write_history(call, *items, limit);
            // A context may be older than what is kept of the log.
            call->node().engine().context(
                call->user(), key, [call, key, limit](const Result<ContextPtr>& found, Position) {
                    if (!found) return call->problem(found.error());
                    if (*found == nullptr) return call->problem(no_context(key));
                    write_history(call, {}, limit);
                });
        });
}

void version(const CallPtr& call, const std::string& key, const std::string& text) {
    if (const Status known = call->check_query({}); !known) return call->problem(known.error());
    Version number = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end.ec != std::errc() || end.ptr != text.data() + text.size() || number == 0)
        return call->problem(fail(Errc::invalid_field, "version: must be a whole number from 1"));
    call->node().store().read_version(call->user(), key, number, [call](Result<ContextPtr> found) {
        if (!found) return call->problem(found.error());
        std::string out;
        write_context(out, **found);
        call->json(std::move(out));
    });
}

}  // namespace

void contexts(const CallPtr& call) {
    const std::vector<std::string>& path = call->segments;
    const std::string& method = call->request().method;
    const bool reading = method == "GET" || method == "HEAD";
    if (path.size() == 1) return reading ? list(call) : wrong_method(call, "GET, HEAD");
    const std::string& key = path[1];
    if (const Status good =
            check_name("contextKey", key, limits::context_key_bytes_max, NameRule::label);
        !good)
        return call->problem(good.error());
    if (path.size() == 2) {
        if (reading) return read(call, key);
        if (method == "PUT") return write(call, "context.put", key);
        if (method == "PATCH") return patch(call, key);
        if (method == "DELETE")
            return write(call, "context.delete", key, wire::Given::Payload::nothing);
        return wrong_method(call, "GET, HEAD, PUT, PATCH, DELETE");
    }
    if (path[2] == "history" && path.size() <= 4) {
        if (!reading) return wrong_method(call, "GET, HEAD");
        return path.size() == 3 ? history(call, key) : version(call, key, path[3]);
    }
    if (path[2] == "restore" && path.size() == 3) {
        if (method != "POST") return wrong_method(call, "POST");
        return write(call, "context.restore", key);
    }
    call->problem(
        fail(Errc::not_found,
             "a context has /history and /restore; write a / inside a key as %2F, or name "
             "the key in the query: /api/v1/context?contextKey=a%2Fb"));
}

void search(const CallPtr& call) {
    if (const Status known = call->check_query({"q", "limit"}); !known)
        return call->problem(known.error());
    const auto query = call->query("q");
    if (!query || query->empty()) return call->problem(fail(Errc::missing_field, "q: is required"));
    if (query->size() > static_cast<std::size_t>(limits::query_bytes_max))
        return call->problem(
            fail(Errc::too_large,
                 "q: at most " + std::to_string(limits::query_bytes_max) + " bytes are allowed"));
    const auto limit = call->query_integer("limit", 20, 1, limits::page_items_max);
    if (!limit) return call->problem(limit.error());
    call->node().store().search(
        call->user(), *query, static_cast<std::size_t>(*limit),
        [call](Result<std::vector<SearchHit>> hits) {
            if (!hits) return call->problem(hits.error());
            std::string out = "{\"hits\":[";
            for (const SearchHit& hit : *hits) {
                if (&hit != hits->data()) out += ',';
                out.append("{\"contextKey\":");
                json::append_string(out, hit.key);
                out.append(",\"score\":").append(json::canonical(json::Value(hit.score)));
                out.append(",\"snippet\":");
                json::append_string(out, hit.snippet);
                out += '}';
            }
            call->json(out.append("]}"));
        });
}

void conflicts(const CallPtr& call) {
    const std::vector<std::string>& path = call->segments;
    const std::string& method = call->request().method;
    if (path.size() == 3 && path[2] == "resolve") {
        if (method != "POST") return wrong_method(call, "POST");
        return call->submit({.op = "conflict.resolve", .conflict_id = path[1]},
                            [call](const Reply& reply) { call->written(reply); });
    }
    if (path.size() != 1)
        return call->problem(fail(Errc::not_found, "POST /conflicts/{id}/resolve resolves one"));
    if (method != "GET" && method != "HEAD") return wrong_method(call, "GET, HEAD");
    if (const Status known = call->check_query({"context"}); !known)
        return call->problem(known.error());
    call->node().engine().snapshot(call->user(),
                                   [call](Result<std::shared_ptr<const core::Snapshot>> snapshot) {
                                       if (!snapshot) return call->problem(snapshot.error());
                                       const auto wanted = call->query("context");
                                       std::string out = "{\"conflicts\":[";
                                       bool first = true;
                                       for (const Conflict& conflict : (*snapshot)->conflicts) {
                                           if (wanted && conflict.context_key != *wanted) continue;
                                           if (!std::exchange(first, false)) out += ',';
                                           write_conflict(out, conflict);
                                       }
                                       call->json(out.append("]}"));
                                   });
}

}  // namespace dyad::server::rest

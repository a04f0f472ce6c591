// /events: pages of the log, one event with its proof, and announcements of MCP events.
#include "base/limits.hpp"
#include "model/json.hpp"
#include "server/rest/call.hpp"

#include <charconv>

namespace dyad::server::rest {
namespace {

using boost::json::object;

constexpr std::size_t kPageBytes = 1 << 20;

// `after` is a position, as given out before, or a bare offset.
Result<Offset> after_of(const CallPtr& call) {
    const auto text = call->query("after");
    if (!text) return Offset{0};
    if (text->find('.') != std::string::npos) {
        const Result<Position> position = Position::parse(*text);
        if (!position) return fail(position.error().code, "after: " + position.error().detail);
        return position->offset;
    }
    Offset offset = 0;
    const auto end = std::from_chars(text->data(), text->data() + text->size(), offset);
    if (end.ec != std::errc() || end.ptr != text->data() + text->size())
        return fail(Errc::invalid_field, "after: must be a position or an offset");
    return offset;
}

void list(const CallPtr& call) {
    if (const Status known = call->check_query({"after", "limit"}); !known)
        return call->problem(known.error());
    const Result<Offset> after = after_of(call);
    if (!after) return call->problem(after.error());
    const auto limit =
        call->query_integer("limit", limits::page_items_default, 1, limits::page_items_max);
    if (!limit) return call->problem(limit.error());
    call->node().store().read_log(
        call->user(), *after, kPageBytes,
        [call, after = *after, limit = static_cast<Offset>(*limit)](Result<LogSlice> slice) {
            if (!slice) return call->problem(slice.error());
            std::string out = "{\"events\":[";
            Position position{.epoch = slice->head.epoch, .offset = after, .hash = {}};
            Offset taken = 0;
            for (const EventBatchPtr& batch : slice->batches) {
                const Offset from = std::max(batch->first, after + 1);
                if (from > batch->last() || taken == limit) continue;
                const Offset to = std::min(batch->last(), from + (limit - taken) - 1);
                if (taken > 0) out += ',';
                out.append(batch->text_range(from, to));
                taken += to - from + 1;
                LogHead at{.epoch = batch->epoch,
                           .offset = to,
                           .hash = batch->entry(to).hash,
                           .timestamp_ms = 0};
                position = at.position();
            }
            out.append("],\"firstKept\":").append(std::to_string(slice->first_kept));
            out.append(",\"last\":").append(std::to_string(slice->head.offset));
            out.append(",\"position\":");
            // Nothing after `after`: the caller's own position stays good.
            if (taken == 0 && call->query("after") && slice->head.offset != 0)
                out.append("null");
            else
                out.append("\"").append(position.to_string()).append("\"");
            call->json(out.append("}"));
        });
}

// Everything that is needed to check the event's place in the chain (model/event.hpp).
void proof(const CallPtr& call, const std::string& text) {
    Offset offset = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), offset);
    if (end.ec != std::errc() || end.ptr != text.data() + text.size() || offset == 0)
        return call->problem(fail(Errc::invalid_field, "offset: must be a whole number from 1"));
    call->node().store().read_log(
        call->user(), offset - 1, 1, [call, offset](Result<LogSlice> slice) {
            if (!slice) return call->problem(slice.error());
            for (const EventBatchPtr& batch : slice->batches) {
                if (batch->empty() || offset < batch->first || offset > batch->last()) continue;
                const EventEntry& entry = batch->entry(offset);
                const Hash& prev =
                    offset == batch->first ? batch->prev_hash : batch->entry(offset - 1).hash;
                const LogHead at{
                    .epoch = batch->epoch, .offset = offset, .hash = entry.hash, .timestamp_ms = 0};
                std::string out = "{\"event\":";
                out.append(batch->text(offset)).append(",\"position\":\"");
                out.append(at.position().to_string()).append("\",\"proof\":{\"contentHash\":\"");
                out.append(to_hex(entry.content_hash)).append("\",\"epoch\":\"");
                out.append(at.position().to_string().substr(0, 16)).append("\",\"hash\":\"");
                out.append(to_hex(entry.hash)).append("\",\"prevHash\":\"");
                out.append(to_hex(prev)).append("\",\"salt\":\"");
                out.append(to_hex(entry.salt)).append("\",\"userId\":");
                out.append(json::canonical(json::Value(call->user())));
                return call->json(out.append("}}"));
            }
            call->problem(
                fail(Errc::not_found, "the log has no event at offset " + std::to_string(offset)));
        });
}

// Accepts the names of the log ("mcp-tool-executed") and of the bus ("mcp:tool-executed").
void announce(const CallPtr& call) {
    Result<object> body = call->body();
    if (!body) return call->problem(body.error());
    const char* const member = body->contains("kind") ? "kind" : "type";
    const auto* kind = body->if_contains(member);
    if (kind == nullptr || !kind->is_string())
        return call->problem(fail(Errc::missing_field,
                                  "type: must be mcp:tool-executed, mcp:server-added or "
                                  "mcp:server-removed"));
    std::string name(kind->get_string());
    if (name.starts_with("mcp:")) name[3] = '-';
    object fields;
    fields["op"] = "mcp.announce";
    fields["kind"] = name;
    if (const auto* payload = body->if_contains("payload")) fields["payload"] = *payload;
    call->submit(std::move(fields), [call](const Reply& reply) { call->written(reply, 201); });
}

}  // namespace

void events(const CallPtr& call) {
    const std::vector<std::string>& path = call->segments;
    const net::Request& request = call->request();
    const bool reading = request.method == "GET" || request.method == "HEAD";
    if (path.size() == 2 && path[1] == "mcp")
        return request.method == "POST" ? announce(call) : wrong_method(call, "POST");
    if (path.size() > 2) return call->problem(fail(Errc::not_found, "there is no such path"));
    if (!reading) return wrong_method(call, "GET, HEAD");
    const bool stream = (path.size() == 2 && path[1] == "stream") ||
                        (path.size() == 1 && request.header("accept").value_or("").find(
                                                 "text/event-stream") != std::string_view::npos);
    if (stream) return request.method == "GET" ? stream_events(call) : wrong_method(call, "GET");
    if (path.size() == 2) return proof(call, path[1]);
    list(call);
}

}  // namespace dyad::server::rest

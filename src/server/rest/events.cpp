// /events: pages of the log, one event with its proof, and announcements of MCP events.
#include "base/limits.hpp"
#include "model/json.hpp"
#include "net/http_fields.hpp"
#include "server/rest/call.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace dyad::server::rest {
namespace {

// Where a page of the log begins: behind a position that was given out, or behind a bare offset.
struct Start {
    Offset offset = 0;
    std::optional<Position> position;
};
Result<Start> start_of(const CallPtr& call) {
    const auto text = call->query("after");
    if (!text) return Start{};
    if (text->find('.') != std::string::npos) {
        const Result<Position> position = Position::parse(*text);
        if (!position) return fail(position.error().code, "after: " + position.error().detail);
        return Start{position->offset, *position};
    }
    Start start;
    const auto end = std::from_chars(text->data(), text->data() + text->size(), start.offset);
    if (end.ec != std::errc() || end.ptr != text->data() + text->size() ||
        start.offset > static_cast<Offset>(INT64_MAX))
        return fail(Errc::invalid_field, "after: must be a position or an offset");
    return start;
}

Position position_at(Epoch epoch, Offset offset, const Hash& hash) {
    return LogHead{.epoch = epoch, .offset = offset, .hash = hash, .timestamp_ms = 0}.position();
}

// The log's own position at `offset`, where the slice shows it.
std::optional<Position> known_position(const LogSlice& slice, Offset offset) {
    if (offset == 0) return Position{.epoch = slice.head.epoch, .offset = 0, .hash = {}};
    if (offset == slice.head.offset) return slice.head.position();
    for (const EventBatchPtr& batch : slice.batches) {
        if (batch->empty()) continue;
        if (offset + 1 == batch->first) return position_at(batch->epoch, offset, batch->prev_hash);
        if (batch->first <= offset && offset <= batch->last())
            return position_at(batch->epoch, offset, batch->entry(offset).hash);
    }
    return std::nullopt;
}

// A position of another log, such as the one before a restored backup, has no page after it.
bool is_of_this_log(const Start& start, const LogSlice& slice) {
    // Before the first event all logs are alike: the one that begins later is as good as this one.
    if (!start.position || start.offset == 0) return true;
    return known_position(slice, start.offset) == start.position;
}

void write_page(const CallPtr& call, const Start& start, Offset limit, const LogSlice& slice) {
    std::string out = "{\"events\":[";
    std::optional<Position> position = known_position(slice, start.offset);
    Offset taken = 0;
    for (const EventBatchPtr& batch : slice.batches) {
        if (batch->empty() || batch->last() <= start.offset || taken == limit) continue;
        const Offset from = std::max(batch->first, start.offset + 1);
        const Offset to = std::min(batch->last(), from + (limit - taken) - 1);
        if (taken > 0) out += ',';
        out.append(batch->text_range(from, to));
        taken += to - from + 1;
        position = position_at(batch->epoch, to, batch->entry(to).hash);
    }
    out.append("],\"firstKept\":").append(std::to_string(slice.first_kept));
    out.append(",\"last\":").append(std::to_string(slice.head.offset));
    out.append(",\"position\":");
    if (position)
        out.append("\"").append(position->to_string()).append("\"");
    else
        out.append("null");
    const bool more = position && position->offset < slice.head.offset;
    net::Headers headers = more ? call->next_link("after", position->to_string()) : net::Headers{};
    headers.emplace_back("Vary", "Accept");
    call->json(out.append("}"), std::move(headers));
}

void page_after(const CallPtr& call, const Start& start, Offset limit) {
    call->node().store().read_log(
        call->user(), start.offset, limits::page_log_bytes_max,
        [call, start, limit](Result<LogSlice> slice) {
            if (!slice && slice.error().code == Errc::history_gone)
                return call->problem(
                    fail(Errc::history_gone,
                         slice.error().detail + "; without `after` it begins with the oldest one"));
            if (!slice) return call->problem(slice.error());
            if (!is_of_this_log(start, *slice))
                return call->problem(
                    fail(Errc::history_gone,
                         "after: this position is not in the log any more; read the contexts, and "
                         "go on from the position that comes with them"));
            write_page(call, start, limit, *slice);
        });
}

void list(const CallPtr& call) {
    if (const Status known = call->check_query({"after", "limit"}); !known)
        return call->problem(known.error());
    const Result<Start> start = start_of(call);
    if (!start) return call->problem(start.error());
    const auto limit =
        call->query_integer("limit", limits::page_items_default, 1, limits::page_items_max);
    if (!limit) return call->problem(limit.error());
    const auto events = static_cast<Offset>(*limit);
    if (call->query("after")) return page_after(call, *start, events);
    // From the oldest event that is kept, which reading beyond the end tells.
    constexpr Offset kBeyond = static_cast<Offset>(std::numeric_limits<std::int64_t>::max());
    call->node().store().read_log(
        call->user(), kBeyond, 1, [call, events](const Result<LogSlice>& slice) {
            if (!slice) return call->problem(slice.error());
            page_after(call, Start{.offset = slice->first_kept - 1, .position = {}}, events);
        });
}

// Everything that is needed to check the event's place in the chain (model/event.hpp).
void proof(const CallPtr& call, const std::string& text) {
    if (const Status known = call->check_query({}); !known) return call->problem(known.error());
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

}  // namespace

void events(const CallPtr& call) {
    const std::vector<std::string>& path = call->segments;
    const net::Request& request = call->request();
    const bool reading = request.method == "GET" || request.method == "HEAD";
    if (path.size() == 2 && path[1] == "mcp")
        return request.method == "POST"
                   ? call->submit({.op = "mcp.announce"},
                                  [call](const Reply& reply) { call->written(reply, 201); })
                   : wrong_method(call, "POST");
    if (path.size() > 2) return call->problem(fail(Errc::not_found, "there is no such path"));
    if (!reading) return wrong_method(call, "GET, HEAD");
    const net::Preference stream = net::preference(request.headers, "text/event-stream");
    if (path.size() == 2 && path[1] == "stream") {
        if (stream.weight > 0) return stream_events(call);
        return call->problem(fail(Errc::not_acceptable,
                                  "Accept: this path is a stream of text/event-stream; "
                                  "/api/v1/events has the events as pages of JSON"));
    }
    // Where both are as welcome, the stream is meant by who names it.
    const net::Preference page = net::preference(request.headers, kJson);
    if (path.size() == 1 && stream.weight > 0 &&
        (stream.weight > page.weight || (stream.weight == page.weight && stream.precision == 2)))
        return stream_events(call);
    if (path.size() == 2) return proof(call, path[1]);
    list(call);
}

}  // namespace dyad::server::rest

// /events: pages of the log, one event with its proof, and announcements of MCP events.
#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "net/http_fields.hpp"
#include "server/log_place.hpp"
#include "server/rest/call.hpp"

#include <algorithm>
#include <optional>

namespace dyad::server::rest {
namespace {

// Where a page of the log begins: behind a position that was given out, or behind a bare offset.
struct Start {
    Offset offset = 0;
    std::optional<Position> position;
};
Result<Start> start_of(const Call& call) {
    const auto text = call.query("after");
    if (!text) return Start{};
    if (text->find('.') != std::string::npos) {
        const Result<Position> position = Position::parse(*text);
        if (!position) return fail(position.error().code, "after: " + position.error().detail);
        return Start{position->offset, *position};
    }
    const auto offset = whole_number("after", *text, 0);
    if (!offset) return fail(Errc::invalid_field, "after: must be a position or an offset");
    return Start{.offset = static_cast<Offset>(*offset), .position = {}};
}

// A position of another log, such as the one before a restored backup, has no page after it.
bool is_of_this_log(const Start& start, const LogSlice& slice) {
    return !start.position || server::is_of_this_log(*start.position, slice);
}

void write_page(Call& call, const Start& start, Offset limit, const LogSlice& slice) {
    std::optional<Position> position = known_position(slice, start.offset);
    std::string text = json::written(kAnswerBytes, [&](json::Writer& out) {
        out.raw("{\"events\":[");
        Offset taken = 0;
        for (const EventBatchPtr& batch : slice.batches) {
            if (batch->empty() || batch->last() <= start.offset || taken == limit) continue;
            const Offset from = std::max(batch->first, start.offset + 1);
            const Offset to = std::min(batch->last(), from + (limit - taken) - 1);
            if (taken > 0) out.raw(",");
            out.raw(batch->text_range(from, to));
            taken += to - from + 1;
            position = position_at(batch->epoch, to, batch->entry(to).hash);
        }
        out.raw("],\"firstKept\":").integer(slice.first_kept);
        out.raw(",\"last\":").integer(slice.head.offset);
        out.raw(",\"position\":");
        out.value(position ? std::optional(position->to_string()) : std::nullopt).raw("}");
    });
    const bool more = position && position->offset < slice.head.offset;
    net::Headers headers = more ? call.next_link("after", position->to_string()) : net::Headers{};
    headers.emplace_back("Vary", "Accept");
    call.json_text(std::move(text), std::move(headers));
}

void page_after(Call& call, const Start& start, Offset limit) {
    const auto answer = [call = call.shared_from_this(), start, limit](Result<LogSlice> slice) {
        if (!slice && slice.error().code == Errc::history_gone)
            call->problem(fail(Errc::history_gone, slice.error().detail +
                                                       "; without `after` it begins with the "
                                                       "oldest one"));
        else if (!slice)
            call->problem(slice.error());
        else if (!is_of_this_log(start, *slice))
            call->problem(
                fail(Errc::history_gone,
                     "after: this position is not in the log any more; read the contexts, and go "
                     "on from the position that comes with them"));
        else
            write_page(*call, start, limit, *slice);
    };
    call.node().store().read(call.user(), start.offset, limits::page_log_bytes_max, answer);
}

void list_events(Call& call) {
    if (const Status known = call.check_query("after limit"); !known)
        return call.problem(known.error());
    const Result<Start> start = start_of(call);
    if (!start) return call.problem(start.error());
    const auto limit = call.query_limit();
    if (!limit) return call.problem(limit.error());
    const Offset events = *limit;
    if (call.query("after")) return page_after(call, *start, events);
    // From the oldest event that is kept, which reading beyond the end tells.
    constexpr auto kBeyond = static_cast<Offset>(INT64_MAX);
    call.node().store().read(
        call.user(), kBeyond, 1, call.then([events](Call& to, const LogSlice& slice) {
            page_after(to, Start{.offset = slice.first_kept - 1, .position = {}}, events);
        }));
}

void write_proof(json::Writer& out, const EventBatch& batch, Offset offset,
                 const std::string& user) {
    const EventEntry& entry = batch.entry(offset);
    const Hash& prev = offset == batch.first ? batch.prev_hash : batch.entry(offset - 1).hash;
    const std::string position = position_at(batch.epoch, offset, entry.hash).to_string();
    out.object([&] {
        out.members("event", json::Raw{batch.text(offset)}, "position", position);
        out.member("proof").object("contentHash", to_hex(entry.content_hash), "epoch",
                                   position.substr(0, 16), "hash", to_hex(entry.hash), "prevHash",
                                   to_hex(prev), "salt", to_hex(entry.salt), "userId", user);
    });
}

}  // namespace

// Everything that is needed to check the event's place in the chain (model/event.hpp).
void prove_event(Call& call) {
    const auto number = whole_number("offset", call.segments[1], 1);
    if (!number) return call.problem(number.error());
    const auto offset = static_cast<Offset>(*number);
    call.node().store().read(
        call.user(), offset - 1, 1, call.then([offset](Call& to, const LogSlice& slice) {
            for (const EventBatchPtr& batch : slice.batches)
                if (!batch->empty() && batch->first <= offset && offset <= batch->last())
                    return to.json(
                        [&](json::Writer& out) { write_proof(out, *batch, offset, to.user()); });
            to.problem(
                fail(Errc::not_found, "the log has no event at offset " + std::to_string(offset)));
        }));
}

void announce_mcp(Call& call) {
    call.submit({.op = "mcp.announce"}, [](const Reply&) { return 201; });
}

void events(Call& call) {
    const net::Headers& headers = call.request().headers;
    const net::Preference stream = net::preference(headers, "text/event-stream");
    if (call.segments.size() == 2) {
        if (stream.weight > 0) return stream_events(call);
        return call.problem(fail(Errc::not_acceptable,
                                 "Accept: this path is a stream of text/event-stream; "
                                 "/api/v1/events has the events as pages of JSON"));
    }
    // Where both are as welcome, the stream is meant by who names it.
    const net::Preference page = net::preference(headers, kJson);
    const bool named = stream.weight == page.weight && stream.precision == 2;
    if (stream.weight > 0 && (stream.weight > page.weight || named)) return stream_events(call);
    list_events(call);
}

}  // namespace dyad::server::rest

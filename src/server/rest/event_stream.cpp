// Server-sent events (WHATWG HTML, section 9.2): a session of the heart over one HTTP answer.
//
//     id: <position>            what Last-Event-ID or ?after= resumes from
//     event: <eventType>        or: position, reset, snapshot, snapshot-end
//     data: <event text>
//
// `position` comes first and says where the stream starts. A lost position is answered by `reset`,
// then the state in `snapshot` pages, then `snapshot-end`, which is the first to carry an id: a
// transfer that breaks inside begins again.
#include "base/limits.hpp"
#include "base/log.hpp"
#include "model/change.hpp"
#include "model/json_lexer.hpp"
#include "server/log_place.hpp"
#include "server/naming.hpp"
#include "server/rest/call.hpp"
#include "server/snapshot_stream.hpp"

#include <algorithm>
#include <set>

namespace dyad::server::rest {
namespace {

constexpr std::string_view kStreamType = "text/event-stream";
constexpr std::int64_t kHeartbeatMs = 15'000;
constexpr std::string_view kTypes[] = {"context-updated", "mode-changed", "response-generated",
                                       "mcp-tool-executed", "config-updated"};

void append_message(std::string& out, std::string_view id, std::string_view event,
                    std::string_view data) {
    if (!id.empty()) out.append("id: ").append(id).append("\n");
    out.append("event: ").append(event).append("\ndata: ").append(data).append("\n\n");
}

void write_page(std::string& out, const SnapshotPage& page) {
    std::string data = "{" + std::string(page.members);
    const std::string position = page.last ? page.position.to_string() : std::string();
    if (page.last) data.append(",\"position\":\"").append(position).append("\"");
    append_message(out, position, page.last ? "snapshot-end" : "snapshot", data.append("}"));
}

// Whether a stream that was asked to resume does so, instead of beginning with the state. Before
// the first event all logs are alike.
bool goes_on_from(const Position& start, const Position& resume) {
    return start == resume || (start.offset == 0 && resume.offset == 0);
}

class EventStream final : public core::Peer, public std::enable_shared_from_this<EventStream> {
  public:
    EventStream(CallPtr call, std::set<std::string> types)
        : call_(std::move(call)), types_(std::move(types)) {}

    // Requires: the session was counted.
    void start(std::optional<Position> resume, bool snapshot) {
        Exchange& exchange = call_->exchange();
        exchange.begin_stream(std::string(kStreamType));
        exchange.on_writable([self = shared_from_this()] { self->writable(); });
        exchange.on_closed([self = shared_from_this()] { self->stop(); });
        core::SessionRequest request;
        request.user_id = call_->user();
        // Where no instance is named none takes part: nothing is kept from the stream because of a
        // mode.
        if (const auto named_one = named(call_->request(), kInstanceName); named_one && *named_one)
            request.instance_id = **named_one;
        request.listed = false;
        request.dialect = core::Dialect::negotiated;
        request.resume = resume;
        request.snapshot = snapshot;
        session_ = call_->node().engine().attach(
            std::move(request), *this,
            [weak = weak_from_this(), resume, snapshot](Position position) {
                if (const auto self = weak.lock())
                    self->begin(position, resume ? !goes_on_from(position, *resume) : snapshot);
            });
        beat();
    }

    bool deliver(Offset, Offset, const std::vector<std::string_view>& pieces) override {
        std::string out;
        for (const std::string_view piece : pieces) {
            json::Lexer texts(piece);  // with commas between them
            do {
                std::string_view text;
                CHECK(texts.raw(text));
                append_event(out, text);
            } while (texts.take(','));
        }
        return out.empty() || call_->exchange().write(std::move(out));
    }

    bool reset(std::shared_ptr<const core::Snapshot> snapshot) override {
        epoch_ = snapshot->position.epoch;
        std::string out;
        append_message(out, "", "reset",
                       "{\"position\":\"" + snapshot->position.to_string() + "\"}");
        pages_ = snapshot_pages(std::move(snapshot), write_page);
        return call_->exchange().write(std::move(out)) && send_pages();
    }

    // The heart may not be called from within: the session is taken from it in a turn of its own.
    void close(Errc) override {
        call_->node().after(0, [self = shared_from_this()] { self->stop(); });
        call_->exchange().end_stream();
    }

  private:
    // A client must not resume from a place whose state it has not got yet.
    void begin(Position position, bool state_follows) {
        epoch_ = position.epoch;
        std::string out = "retry: 1000\n";
        append_message(out, state_follows ? std::string() : position.to_string(), "position",
                       "{\"position\":\"" + position.to_string() + "\"}");
        call_->exchange().write(std::move(out));
    }

    void append_event(std::string& out, std::string_view text) {
        const Result<EventView> event = decode_event(text);
        CHECK(event.has_value());
        const std::string_view type = event_type_name(event->kind);
        if (!types_.empty() && !types_.contains(std::string(type))) return;
        append_message(out, position_of(epoch_, *event).to_string(), type, text);
    }

    // False where the socket is full: writable() goes on.
    bool send_pages() {
        bool room = true;
        while (pages_ && room) {
            std::string out;
            if (!pages_->next(out)) pages_.reset();
            room = call_->exchange().write(std::move(out));
        }
        return room;
    }

    void writable() {
        if (session_ == nullptr) return;
        const auto self = shared_from_this();  // a write can find that the client has gone
        if (send_pages()) call_->node().engine().writable(session_);
    }

    // Also ends what the exchange and this object hold of each other.
    void stop() {
        call_->exchange().on_writable(nullptr);
        call_->exchange().on_closed(nullptr);
        if (session_ == nullptr) return;
        call_->node().engine().detach(std::exchange(session_, nullptr));
    }

    void beat() {
        call_->node().after(kHeartbeatMs, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self || self->session_ == nullptr) return;
            self->call_->exchange().write(":\n\n");
            self->beat();
        });
    }

    CallPtr call_;
    std::set<std::string> types_;
    core::SessionId session_ = nullptr;
    Epoch epoch_ = 0;
    std::unique_ptr<SnapshotStream> pages_;  // while they are sent
};

}  // namespace

void stream_events(Call& call) {
    if (const Status known = call.check_query("after types snapshot"); !known)
        return call.problem(known.error());
    if (!call.node().settings().enable_real_time_events)
        return call.problem(fail(Errc::switched_off,
                                 "changes are not pushed: ENABLE_REAL_TIME_EVENTS is false; set it "
                                 "to true and start the server again, or read /api/v1/events"));
    std::optional<Position> resume;
    bool lost = false;
    const auto last_id = call.request().header("last-event-id");
    const auto token =
        last_id && !last_id->empty() ? std::optional<std::string>(*last_id) : call.query("after");
    if (token) {
        const Result<Position> position = Position::parse(*token);
        // A token that does not parse is one that is not known any more: begin with the state.
        if (position)
            resume = *position;
        else
            lost = true;
    }
    std::set<std::string> types;
    std::string_view names = call.request().query_value("types").value_or("");
    while (!names.empty()) {
        const std::size_t comma = names.find(',');
        const std::string_view name = names.substr(0, comma);
        if (std::find(std::begin(kTypes), std::end(kTypes), name) == std::end(kTypes))
            return call.problem(
                fail(Errc::invalid_field,
                     "types: must be a list of context-updated, mode-changed, response-generated, "
                     "mcp-tool-executed and config-updated, with commas"));
        types.emplace(name);
        names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    }
    const std::string snapshot = call.query("snapshot").value_or("false");
    if (snapshot != "true" && snapshot != "false")
        return call.problem(fail(Errc::invalid_field, "snapshot: must be true or false"));
    if (call.request().method == "HEAD") {
        call.exchange().begin_stream(std::string(kStreamType));
        return call.exchange().end_stream();
    }
    if (call.node().engine().session_count(call.user()) >=
        static_cast<std::size_t>(limits::sessions_per_user_max))
        return call.problem(fail(Errc::limit_reached, "this user has too many connections"));
    const auto stream = std::make_shared<EventStream>(call.shared_from_this(), std::move(types));
    stream->start(resume, lost || snapshot == "true");
}

}  // namespace dyad::server::rest

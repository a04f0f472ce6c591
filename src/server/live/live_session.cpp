#include "server/live/live_session.hpp"

#include "base/hash64.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "server/client.hpp"
#include "server/live/live_hub.hpp"
#include "server/snapshot_stream.hpp"
#include "wire/frames.hpp"

#include <algorithm>

namespace dyad::server::live {
namespace {

constexpr std::string_view kScope = "websocket_sync";

// Moments are kept with their lowest bit set, so that 0 can mean none: one may lie just ahead.
std::uint32_t elapsed(std::uint32_t now, std::uint32_t since) {
    return now > since ? now - since : 0;
}

iovec part(std::string_view bytes) {
    return {const_cast<char*>(bytes.data()), bytes.size()};
}

// Pieces are joined with commas, unless one brings its own.
bool needs_comma(std::size_t index, std::string_view piece) {
    return index > 0 && !piece.starts_with(',');
}

std::size_t events_bytes(const std::vector<std::string_view>& pieces) {
    std::size_t bytes = wire::kEventsPrefix.size() + wire::kEventsSuffix.size();
    for (std::size_t i = 0; i < pieces.size(); ++i)
        bytes += pieces[i].size() + needs_comma(i, pieces[i]);
    return bytes;
}

}  // namespace

LiveSession::LiveSession(LiveHub& hub, Client& client, Opening& opening)
    : hub_(hub),
      client_(client),
      negotiated_(opening.negotiated),
      opened_ds_(hub.now_ds()),
      seen_ds_(opened_ds_),
      next_ping_ds_(opened_ds_ + ping_after()) {
    if (!opening.user.empty() || !opening.instance.empty())
        named_ =
            std::make_unique<Named>(Named{std::move(opening.user), std::move(opening.instance)});
    log::debug(kScope, "a client has connected");
}

LiveSession::~LiveSession() {
    hub_.forget(*this);
}

// Pings of many clients that came at once must not stay together: up to an eighth earlier.
std::uint32_t LiveSession::ping_after() const {
    const auto interval = static_cast<std::uint32_t>(hub_.ping_interval_ms() / 100);
    const std::uint64_t jitter =
        hash64("ping", reinterpret_cast<std::uintptr_t>(this) + hub_.now_ds());
    return std::max<std::uint32_t>(
        interval - static_cast<std::uint32_t>(jitter % (interval / 8 + 1)), 1);
}

std::string& LiveSession::output() {
    if (!output_) output_ = hub_.take_buffer();
    if (!dirty_) {
        dirty_ = true;
        hub_.mark_dirty(*this);
    }
    return *output_;
}

void LiveSession::say(std::string_view frames) {
    if (!ended_) output().append(frames);
}

void LiveSession::say_presence(std::string_view frame) {
    if (session_ != nullptr && session_->paused) return;  // it is told when it takes part again
    missed_presence_ = streaming() || client_.held_bytes() > 0;
    if (!missed_presence_) say(frame);
}

// ---- input ----------------------------------------------------------------------------------

std::unique_ptr<Protocol> LiveSession::on_bytes(std::span<char>& bytes) {
    const std::span<char> all = std::exchange(bytes, {});
    if (ended_) return nullptr;
    const std::uint32_t now = hub_.now_ds();
    if (now != seen_ds_ && session_ != nullptr) hub_.engine().seen(session_);
    seen_ds_ = now;
    const std::unique_ptr<net::FrameError> error = reader_.feed(all, *this);
    if (error) {
        end(error->close_code, error->reason);
        return nullptr;
    }
    if (!reader_.in_message())
        message_since_ds_ = 0;
    else if (message_since_ds_ == 0)
        message_since_ds_ = std::max(now, 1U);
    adjust_reading();
    return nullptr;
}

bool LiveSession::on_ping(std::string_view payload) {
    net::append_frame(output(), net::Opcode::pong, payload);
    return true;
}

bool LiveSession::on_pong(std::string_view) {
    return true;
}

bool LiveSession::on_close(std::uint16_t code, std::string_view) {
    // Repeats the code (RFC 6455 section 5.5.1); 1005 stands for none and is never sent.
    end_with(code == 1005 ? std::string() : net::close_payload(code, {}));
    return false;
}

void LiveSession::adjust_reading() {
    const std::size_t waiting =
        client_.held_bytes() + (output_ ? output_->size() : 0) + (owed_ ? owed_->pongs.size() : 0);
    const std::size_t asked = owed_ ? owed_->states.size() : 0;
    const bool pause = waiting > static_cast<std::size_t>(limits::output_held_bytes_max) ||
                       in_flight_ >= limits::connection_commands_max ||
                       in_flight_bytes_ >= limits::connection_commands_bytes_max ||
                       asked >= static_cast<std::size_t>(limits::connection_state_requests_max);
    client_.pause_reading(pause);
}

LiveSession::Call LiveSession::begin_call(std::size_t bytes) {
    const Call call{states_asked_, static_cast<std::uint32_t>(bytes)};
    in_flight_ += 1;
    in_flight_bytes_ += call.bytes;
    return call;
}

void LiveSession::end_call(Call call) {
    in_flight_ -= 1;
    in_flight_bytes_ -= call.bytes;
    // The state requests that wait are the last that were made.
    if (const std::uint32_t later = states_asked_ - call.asked_before; later > 0)
        owed_->states.at(owed_->states.size() - later) -= 1;
    if (!ended_) adjust_reading();
}

// ---- output ---------------------------------------------------------------------------------

bool LiveSession::pump() {
    while (!client_.closing() && client_.held_bytes() == 0) {
        const bool inside = streaming() && owed_->streams.front()->inside_message();
        if (output_ && !inside) {
            const bool sent = client_.send(*output_);
            hub_.give_buffer(std::move(output_));
            if (!sent) return false;
            continue;
        }
        if (!streaming() && missed_presence_ && user_ != nullptr) {
            missed_presence_ = false;
            say_presence(user_->presence);
            continue;
        }
        if (!streaming()) return true;
        std::unique_ptr<std::string> piece = hub_.take_buffer();
        if (!owed_->streams.front()->next(*piece)) {
            piece->append(owed_->streams.front()->newer);
            owed_->streams.pop_front();
            drop_owed();
        }
        const bool sent = client_.send(*piece);
        hub_.give_buffer(std::move(piece));
        if (!sent) return false;
    }
    return false;
}

void LiveSession::flush_output() {
    dirty_ = false;
    if (ended_) return;
    pump();
    adjust_reading();
}

void LiveSession::on_drained() {
    if (ended_) return;
    const bool all = pump();
    adjust_reading();
    if (all && session_ != nullptr && session_->blocked) hub_.engine().writable(session_);
}

void LiveSession::add_events(std::vector<iovec>& parts, net::FrameHeader& header,
                             const std::vector<std::string_view>& pieces) const {
    if (negotiated_) {
        header = net::frame_header(net::Opcode::text, events_bytes(pieces));
        parts.push_back(part(header.view()));
        parts.push_back(part(wire::kEventsPrefix));
    }
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (negotiated_ && needs_comma(i, pieces[i])) parts.push_back(part(","));
        parts.push_back(part(pieces[i]));
    }
    if (negotiated_) parts.push_back(part(wire::kEventsSuffix));
}

bool LiveSession::deliver(Offset, Offset, const std::vector<std::string_view>& pieces) {
    if (ended_) return false;
    if (streaming() && client_.held_bytes() == 0) pump();  // what comes before the events
    const bool waits = streaming() || client_.held_bytes() > 0;
    if (!waits && !negotiated_ && !output_ && pieces.size() == 1)
        return client_.send(pieces.front()) || client_.held_bytes() == 0;
    std::vector<iovec>& parts = hub_.parts();
    parts.clear();
    if (output_ && !waits) parts.push_back(part(*output_));
    net::FrameHeader header;
    add_events(parts, header, pieces);
    if (waits) {
        std::string& later = streaming() ? owed_->streams.back()->newer : output();
        for (const iovec& one : parts)
            later.append(static_cast<const char*>(one.iov_base), one.iov_len);
        return false;
    }
    static_cast<void>(client_.send(parts));
    if (output_) hub_.give_buffer(std::move(output_));
    return client_.held_bytes() == 0;
}

LiveSession::Owed& LiveSession::owed() {
    if (!owed_) owed_ = std::make_unique<Owed>();
    return *owed_;
}

void LiveSession::drop_owed() {
    if (owed_ && owed_->pongs.empty() && owed_->streams.empty() && owed_->states.empty())
        owed_.reset();
}

void LiveSession::start_stream(std::unique_ptr<SnapshotStream> stream) {
    owed().streams.push_back(std::move(stream));
    if (!dirty_) {
        dirty_ = true;
        hub_.mark_dirty(*this);
    }
}

bool LiveSession::reset(std::shared_ptr<const core::Snapshot> snapshot) {
    if (ended_) return false;
    if (negotiated_) {
        if (!wants_snapshot_) wire::write_reset(output(), "position_lost");
        wants_snapshot_ = false;
        start_stream(snapshot_pages(std::move(snapshot), write_snapshot_message));
    } else {
        start_stream(state_response(hub_.speaker(user_), hub_.new_id(), std::move(snapshot)));
    }
    return pump();
}

bool LiveSession::check_caught_up() {
    if (ended_ || session_ == nullptr) return true;
    const std::optional<Position> position = hub_.engine().caught_up(session_);
    if (position) wire::write_position(output(), *position, true);
    return position.has_value();
}

// ---- the end --------------------------------------------------------------------------------

void LiveSession::end(const Error& error) {
    const ErrorRow& row = error_row(error.code);
    end(static_cast<std::uint16_t>(row.close_code), row.message);
}

void LiveSession::end(std::uint16_t code, std::string_view reason) {
    end_with(net::close_payload(code, reason));
}

void LiveSession::end_with(std::string_view close_payload) {
    if (ended_) return;
    // What was collected cannot follow half a message; the close frame can.
    if (streaming() && owed_->streams.front()->inside_message() && output_) output_->clear();
    if (owed_) owed_->streams.clear();
    net::append_frame(output(), net::Opcode::close, close_payload);
    ended_ = true;
    hub_.mark_ended(*this);
}

void LiveSession::on_closed() {
    if (ended_) return;
    ended_ = true;
    hub_.mark_ended(*this);
    log::debug(kScope, "a client has gone");
}

void LiveSession::finish_end() {
    if (session_ != nullptr) hub_.engine().detach(session_);
    session_ = nullptr;
    if (user_ != nullptr) hub_.leave(*user_, negotiated_ ? this : nullptr);
    user_ = nullptr;
    if (output_) {
        static_cast<void>(client_.send(*output_));
        hub_.give_buffer(std::move(output_));
    }
    if (owed_) owed_->streams.clear();
    client_.close_after_output();
}

void LiveSession::drain() {
    if (!negotiated_ || ended_) return;
    wire::write_goaway(output(), "draining", limits::drain_reconnect_ms);
}

void LiveSession::shut(Errc why) {
    end(fail(why));
}

// ---- time -----------------------------------------------------------------------------------

void LiveSession::check(std::int64_t) {
    if (ended_) return;
    const std::uint32_t now = hub_.now_ds();
    if (now - seen_ds_ >= static_cast<std::uint32_t>(hub_.stale_timeout_ms() / 100))
        return end(fail(Errc::stale_client));
    if (message_since_ds_ != 0 &&
        elapsed(now, message_since_ds_) >= limits::message_finish_ms / 100)
        return end(fail(Errc::timed_out));
    if (negotiated_ && user_ == nullptr && now - opened_ds_ >= limits::register_ms / 100)
        return end(fail(Errc::timed_out));
    if (now < next_ping_ds_ || client_.held_bytes() > 0) return;
    next_ping_ds_ = now + ping_after();
    wire::write_ping(output(), hub_.speaker(user_), hub_.new_id());
    // Browsers and libraries answer this one by themselves.
    net::append_frame(output(), net::Opcode::ping, {});
}

}  // namespace dyad::server::live

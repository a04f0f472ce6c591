// The live sessions of one cell: what they share (the message decoder, the users' names), and what
// happens to all of them (ends of turns, presence, drains).
#pragma once

#include "server/cell.hpp"
#include "server/live_service.hpp"
#include "wire/frames.hpp"
#include "wire/message.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace dyad::server::live {

class LiveSession;

// A user with sessions here; the sessions share its name.
struct LiveUser {
    std::string id;
    std::size_t sessions = 0;
    std::vector<LiveSession*> negotiated;  // told of presence
    std::string presence;                  // the frame they were told last
    bool presence_changed = false;
};

class LiveHub final : public LiveService {
  public:
    explicit LiveHub(Cell& cell);

    // LiveService
    std::unique_ptr<Protocol> open(Client& client, Opening opening) override;
    void before_flush() override;
    void after_flush() override;
    void tick(std::int64_t now_ms) override;
    std::int64_t next_ms() const override {
        return presence_.empty() ? INT64_MAX : presence_due_ms_;
    }
    std::size_t client_count() const override { return clients_; }

    // For the sessions.
    Cell& cell() noexcept { return cell_; }
    core::Engine& engine() noexcept { return cell_.engine(); }
    wire::Decoder& decoder() noexcept { return decoder_; }
    wire::Speaker speaker(const LiveUser* user) const;
    std::string new_id() { return cell_.random().uuid4(); }
    std::int64_t ping_interval_ms() const { return cell_.settings().ping_interval_ms; }
    std::int64_t stale_timeout_ms() const { return cell_.settings().stale_timeout_ms; }

    // Null where the user has as many sessions as are allowed.
    LiveUser* enter(const std::string& user_id, LiveSession* negotiated);
    void leave(LiveUser& user, LiveSession* negotiated);
    // Has output of this turn.
    void mark_dirty(LiveSession& session) { dirty_.push_back(&session); }
    // Closes at the end of the turn: the heart must not be re-entered before.
    void mark_ended(LiveSession& session) { ended_.push_back(&session); }
    // Waits to be told that it has everything.
    void mark_catching_up(LiveSession& session) { catching_up_.push_back(&session); }
    // Asks for the state at the end of a turn.
    void mark_asking(LiveSession& session) { asking_.push_back(&session); }
    // Forgets a session that is about to be destroyed.
    void forget(LiveSession& session);
    std::uint32_t now_ds() noexcept {
        return static_cast<std::uint32_t>(cell_.loop().now_ms() / 100);
    }
    std::vector<iovec>& parts() noexcept { return parts_; }
    std::unique_ptr<std::string> take_buffer();
    void give_buffer(std::unique_ptr<std::string> buffer);

  private:
    void finish_ended();
    void presence_changed(LiveUser& user);
    void presence_changed(const std::string& user_id);
    void send_presence(LiveUser& user);

    Cell& cell_;
    wire::Decoder decoder_;
    std::map<std::string, std::unique_ptr<LiveUser>, std::less<>> users_;
    std::vector<LiveSession*> dirty_;
    std::vector<LiveSession*> ended_;
    std::vector<LiveSession*> catching_up_;
    std::vector<LiveSession*> asking_;
    std::vector<std::unique_ptr<std::string>> buffers_;  // spare
    std::vector<LiveUser*> presence_;                    // whose presence changed
    std::vector<iovec> parts_;                           // scratch of a delivery
    std::int64_t presence_due_ms_ = 0;
    std::size_t clients_ = 0;
};

}  // namespace dyad::server::live

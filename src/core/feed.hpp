// The recent events of one active user, in memory, rendered once for all who receive them.
//
// A session has a position, not a queue: it asks for the run after its position and moves on.
#pragma once

#include "core/own_writes.hpp"
#include "model/change.hpp"
#include "model/event.hpp"

#include <array>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dyad::core {

// How a client is spoken to. `plain` is wire.md 1.3; `negotiated` is docs/protocol.md.
enum class Dialect : std::uint8_t { plain, negotiated };

// Renders events for plain clients: one complete WebSocket frame each. Negotiated clients get the
// events' own texts.
class Renderer {
  public:
    virtual ~Renderer() = default;
    // Appends the frame; nothing for an event that plain clients have no name for.
    virtual void render_plain(std::string_view user_id, const EventOrigin& origin,
                              const Change& change, std::string& out) const = 0;
};

// A batch and its plain rendering: made from its changes while they are at hand and a plain client
// listens, or else from its texts when the first plain client needs it.
class Block {
  public:
    explicit Block(EventBatchPtr batch) : batch_(std::move(batch)) {}

    const EventBatch& batch() const noexcept { return *batch_; }
    const EventBatchPtr& batch_ptr() const noexcept { return batch_; }
    // Requires: the changes and the source instances of all of the batch's events.
    void render(const Renderer& renderer, std::string_view user_id, std::span<const Change> changes,
                std::span<const std::string_view> sources);
    // The frames of [from, to] but those of `skipped`, where there are some, as contiguous pieces,
    // appended to `out`. False: a text is damaged. Requires: first <= from <= to <= last; always
    // the same `user_id`, whose log it is.
    [[nodiscard]] bool plain_pieces(const Renderer& renderer, std::string_view user_id, Offset from,
                                    Offset to, const OwnWrites* skipped,
                                    std::vector<std::string_view>& out);

  private:
    bool render_texts(const Renderer& renderer, std::string_view user_id);
    void begin_rendering();
    void render_one(const Renderer& renderer, std::string_view user_id, Offset offset,
                    std::string_view source, const Change& change);

    EventBatchPtr batch_;
    std::string frames_;
    std::vector<std::uint32_t> frame_ends_;
};
using BlockPtr = std::shared_ptr<Block>;

// What the feeds of one engine keep together.
class FeedBudget {
  public:
    explicit FeedBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    // Whether they keep too much together, and a feed with `kept_bytes` has more than an even part.
    bool exceeded_by(std::size_t kept_bytes) const noexcept {
        return bytes_ > bytes_max_ && kept_bytes * feeds_ > bytes_max_;
    }

  private:
    friend class Feed;

    const std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::size_t feeds_ = 0;  // that keep something
};

// Bounded by feed_bytes_max, feed_events_max and the budget; the oldest blocks go first. The newest
// block stays whatever its size: sessions at the log's end are fed from it.
// Lifetime: within the budget's.
class Feed {
  public:
    explicit Feed(FeedBudget& budget) : budget_(budget) {}
    ~Feed() { clear(); }
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;

    // Requires: the batch follows the newest block, or the feed is empty.
    void push(EventBatchPtr batch);
    void clear() noexcept;
    // Drops the events older than `before_ms`: what the log no longer keeps is not shown from here.
    void drop_before(std::int64_t before_ms);
    // The block that holds `offset`; null where the feed does not go back as far, or not yet.
    // Lifetime: until the next call that changes the feed.
    Block* find(Offset offset) const;
    // Requires: !empty().
    Block& newest() { return *blocks_.back(); }
    bool empty() const noexcept { return blocks_.empty(); }
    // Requires: !empty().
    Offset first() const { return blocks_.front()->batch().first; }
    Offset last() const { return blocks_.back()->batch().last(); }

  private:
    bool keeps_too_much() const noexcept;
    void count(const EventBatch& added) noexcept;
    void drop_oldest();

    FeedBudget& budget_;
    std::deque<BlockPtr> blocks_;
    std::size_t bytes_ = 0;
    std::size_t events_ = 0;
};

}  // namespace dyad::core

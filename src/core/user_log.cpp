#include "core/user_log.hpp"

#include "base/check.hpp"
#include "base/log.hpp"
#include "core/mutation.hpp"

namespace dyad::core {
namespace {

constexpr std::int64_t kRetryPauseMaxMs = 2000;
constexpr std::string_view kScope = "distributed_memory";

}  // namespace

UserLog::UserLog(Heart& heart, std::string user_id)
    : heart_(heart),
      user_id_(std::move(user_id)),
      feed_(heart.feeds),
      reader_(*this),
      privacy_(*this),
      delivery_(*this),
      writer_(*this),
      expiry_(*this),
      projector_(*this),
      look_{.user = this, .serial = heart.next_serial()},
      next_end_{.user = this, .serial = look_.serial} {
    CHECK(!user_id_.empty());
    touch();
    arm();
}

UserLog::~UserLog() {
    heart_.looks.remove(look_);
    heart_.expiries.remove(next_end_);
}

bool UserLog::releasable() const noexcept {
    return reader_.idle() && calls_.none() && !dirty_ && writer_.idle() && projector_.idle() &&
           delivery_.size() == 0;
}

void UserLog::mark_dirty() {
    if (std::exchange(dirty_, true)) return;
    heart_.dirty.push_back(this);
}

void UserLog::write() {
    dirty_ = false;
    writer_.pump();
    projector_.flush();
}

void UserLog::deliver() {
    delivery_.flush();
    arm();
}

void UserLog::replace(LoadedLog&& loaded) {
    CHECK(loaded.first_kept >= 1 && loaded.first_kept <= loaded.head.offset + 1);
    head_ = loaded.head;
    first_kept_ = loaded.first_kept;
    const State before = std::exchange(state_, std::move(loaded.state));
    feed_.clear();
    snapshot_.reset();
    privacy_.keep_since(before);
    loads_ += 1;
    projector_.loaded();
    delivery_.reset_all();
    if (log::enabled(log::Level::debug, kScope))
        log::debug(kScope,
                   "the memory of a user was read: " + std::to_string(state_.live_contexts) +
                       " contexts, offset " + std::to_string(head_.offset));
}

bool UserLog::is_at(const Position& end) const noexcept {
    return end == head_.position();
}

bool UserLog::follows(const EventBatch& batch) const {
    if (batch.empty() || batch.first != head_.offset + 1) return false;
    if (broken(Mutation::chain_not_verified)) return true;
    return batch.epoch == head_.epoch && batch.prev_hash == head_.hash;
}

Status UserLog::adopt_texts(EventBatchPtr batch) {
    std::vector<Change> changes;
    std::vector<std::string> sources;
    for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
        Result<EventView> event = decode_event(batch->text(offset));
        if (!event) return event.error();
        Result<Change> change = decode_change(*event);
        if (!change) return change.error();
        changes.push_back(*std::move(change));
        sources.push_back(std::move(event->source_instance_id));
    }
    const std::vector<std::string_view> views(sources.begin(), sources.end());
    adopt(std::move(batch), changes, views);
    return Done{};
}

void UserLog::adopt(EventBatchPtr batch, std::span<const Change> changes,
                    std::span<const std::string_view> sources, std::span<const Pending> own) {
    // The checker is to find the gap of that variant, not this.
    CHECK(ready() && (follows(*batch) || broken(Mutation::skip_gap)));
    CHECK(changes.size() == batch->size() && sources.size() == batch->size());
    CHECK(own.empty() || own.size() == batch->size());
    for (std::size_t i = 0; i < batch->size(); ++i) {
        const Change& change = changes[i];
        const std::uint64_t key = batch->entries[i].operation_key;
        const Offset offset = batch->first + i;
        if (own.empty()) writer_.adopted(batch->entries[i], offset);
        projector_.changed(change, !own.empty());
        if (const auto* mode = std::get_if<ModeChange>(&change)) {
            const Pending* said_by = own.empty() ? writer_.find(key) : &own[i];
            privacy_.before_mode(*mode, offset);
            fold(state_, change);
            privacy_.after_mode(*mode, key, offset, said_by);
        } else {
            fold(state_, change);
        }
    }
    head_ = batch->head();
    snapshot_.reset();
    feed_.push(std::move(batch));
    if (delivery_.has_plain())
        feed_.newest().render(heart_.ports.renderer, user_id_, changes, sources);
    mark_dirty();
}

std::shared_ptr<const Snapshot> UserLog::snapshot() {
    if (snapshot_) return snapshot_;
    auto taken = std::make_shared<Snapshot>();
    taken->position = head_.position();
    taken->contexts.reserve(state_.live_contexts);
    for (const auto& [key, context] : state_.contexts)
        if (!context->deleted) taken->contexts.push_back(context);
    for (const auto& [id, mode] : state_.modes)
        taken->modes.push_back(mode);
    for (const auto& [id, conflict] : state_.conflicts)
        taken->conflicts.push_back(conflict);
    for (const auto& [resource, claim] : state_.claims)
        taken->claims.push_back(claim);
    snapshot_ = taken;
    return snapshot_;
}

void UserLog::retry_later() {
    retry_pause_ms_ = retry_pause_ms_ == 0 ? heart_.config.retry_ms
                                           : std::min(retry_pause_ms_ * 2, kRetryPauseMaxMs);
    retry_at_ms_ = heart_.steady_ms() + retry_pause_ms_;
    arm();
}

void UserLog::tick(std::int64_t now_ms) {
    if (retry_at_ms_ != 0 && now_ms >= retry_at_ms_) {
        retry_at_ms_ = 0;
        reader_.catch_up([this](const Status& read) { writer_.settle(read); });
    }
    writer_.give_up_old(now_ms);
    projector_.tick(now_ms);
    arm();
}

void UserLog::arm() {
    std::int64_t next = used_ms_ + limits::user_idle_ms;
    if (retry_at_ms_ != 0) next = std::min(next, retry_at_ms_);
    look_by(std::min({next, writer_.give_up_ms(), projector_.next_ms()}));
    if (ready()) heart_.expiries.move_up(next_end_, expiry_.next_ms());
}

}  // namespace dyad::core

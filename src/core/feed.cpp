#include "core/feed.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace dyad::core {
namespace {

// What keeping a batch takes; its plain frames are shorter than its texts.
std::size_t kept_bytes(const EventBatch& batch) noexcept {
    return 2 * batch.texts.size() + batch.entries.size() * sizeof(EventEntry);
}

}  // namespace

void Block::render(const Renderer& renderer, std::string_view user_id,
                   std::span<const Change> changes, std::span<const std::string_view> sources) {
    CHECK(changes.size() == batch_->size() && sources.size() == batch_->size());
    begin_rendering();
    for (std::size_t i = 0; i < changes.size(); ++i)
        render_one(renderer, user_id, batch_->first + i, sources[i], changes[i]);
    frames_.shrink_to_fit();
}

bool Block::render_texts(const Renderer& renderer, std::string_view user_id) {
    begin_rendering();
    for (Offset offset = batch_->first; offset <= batch_->last(); ++offset) {
        const Result<EventView> event = decode_event(batch_->text(offset));
        if (!event) return false;
        const Result<Change> change = decode_change(*event);
        if (!change) return false;
        render_one(renderer, user_id, offset, event->source_instance_id, *change);
    }
    return true;
}

void Block::begin_rendering() {
    frames_.clear();
    frame_ends_.clear();
    frames_.reserve(batch_->texts.size());  // frames are shorter than the events' texts
    frame_ends_.reserve(batch_->size());
}

void Block::render_one(const Renderer& renderer, std::string_view user_id, Offset offset,
                       std::string_view source, const Change& change) {
    const EventEntry& entry = batch_->entry(offset);
    renderer.render_plain(user_id,
                          {.offset = offset,
                           .hash = entry.hash,
                           .timestamp_ms = entry.timestamp_ms,
                           .source_instance_id = source},
                          change, frames_);
    frame_ends_.push_back(static_cast<std::uint32_t>(frames_.size()));
}

bool Block::plain_pieces(const Renderer& renderer, std::string_view user_id, Offset from, Offset to,
                         const OwnWrites* skipped, std::vector<std::string_view>& out) {
    if (frame_ends_.size() != batch_->size() && !render_texts(renderer, user_id)) return false;
    const auto add = [&](Offset first, Offset last) {
        const std::size_t begin =
            first == batch_->first ? 0 : frame_ends_[first - batch_->first - 1];
        const std::size_t end = frame_ends_[last - batch_->first];
        if (end > begin) out.emplace_back(frames_.data() + begin, end - begin);
    };
    if (skipped == nullptr)
        add(from, to);
    else
        skipped->without(from, to, add);
    return true;
}

void Feed::push(EventBatchPtr batch) {
    CHECK(!batch->empty() && (empty() || batch->first == last() + 1));
    if (empty()) budget_.feeds_ += 1;
    count(*batch);
    blocks_.push_back(std::make_shared<Block>(std::move(batch)));
    while (blocks_.size() > 1 && keeps_too_much())
        drop_oldest();
}

void Feed::count(const EventBatch& added) noexcept {
    bytes_ += kept_bytes(added);
    budget_.bytes_ += kept_bytes(added);
    events_ += added.size();
}

bool Feed::keeps_too_much() const noexcept {
    return bytes_ > limits::feed_bytes_max || events_ > limits::feed_events_max ||
           budget_.exceeded_by(bytes_);
}

void Feed::drop_oldest() {
    const EventBatch& oldest = blocks_.front()->batch();
    const std::size_t freed = kept_bytes(oldest);
    bytes_ -= freed;
    budget_.bytes_ -= freed;
    events_ -= oldest.size();
    blocks_.pop_front();
}

void Feed::clear() noexcept {
    if (!empty()) budget_.feeds_ -= 1;
    budget_.bytes_ -= bytes_;
    blocks_.clear();
    bytes_ = 0;
    events_ = 0;
}

void Feed::drop_before(std::int64_t before_ms) {
    while (!empty()) {
        const EventBatchPtr oldest = blocks_.front()->batch_ptr();
        const auto young =
            std::find_if(oldest->entries.begin(), oldest->entries.end(),
                         [&](const EventEntry& entry) { return entry.timestamp_ms >= before_ms; });
        if (young == oldest->entries.begin()) return;
        drop_oldest();
        if (young != oldest->entries.end()) {
            const Offset first =
                oldest->first + static_cast<Offset>(young - oldest->entries.begin());
            auto rest = std::make_shared<const EventBatch>(batch_from(*oldest, first));
            count(*rest);
            blocks_.push_front(std::make_shared<Block>(std::move(rest)));
        } else if (empty()) {
            budget_.feeds_ -= 1;
        }
    }
}

Block* Feed::find(Offset offset) const {
    if (empty() || offset < first() || offset > last()) return nullptr;
    std::size_t low = 0;
    std::size_t high = blocks_.size() - 1;
    // Sessions ask for the newest block almost always.
    if (offset >= blocks_[high]->batch().first) return blocks_[high].get();
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (blocks_[middle]->batch().last() < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return blocks_[low].get();
}

}  // namespace dyad::core

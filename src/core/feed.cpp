#include "core/feed.hpp"

#include "base/limits.hpp"

namespace dyad::core {

void Block::render(const Renderer& renderer, std::string_view user_id) {
    frame_ends_.reserve(batch_->size());
    sources_.reserve(batch_->size());
    for (Offset offset = batch_->first; offset <= batch_->last(); ++offset) {
        // The store and the chain have checked the texts before they get here.
        const Result<EventView> event = decode_event(batch_->text(offset));
        CHECK(event.has_value());
        renderer.render_plain(user_id, *event, frames_);
        frame_ends_.push_back(static_cast<std::uint32_t>(frames_.size()));
        sources_.push_back(event->source_instance_id);
    }
}

void Block::plain_pieces(const Renderer& renderer, std::string_view user_id, Offset from, Offset to,
                         std::string_view skip_source, std::vector<std::string_view>& out) {
    if (frame_ends_.empty()) render(renderer, user_id);
    const auto begin_of = [&](std::size_t i) { return i == 0 ? 0 : frame_ends_[i - 1]; };
    const std::size_t last = to - batch_->first;
    std::size_t i = from - batch_->first;
    while (i <= last) {
        if (sources_[i] == skip_source) {
            ++i;
            continue;
        }
        const std::size_t begin = begin_of(i);
        while (i <= last && sources_[i] != skip_source)
            ++i;
        const std::size_t end = begin_of(i);
        if (end > begin) out.emplace_back(frames_.data() + begin, end - begin);
    }
}

std::size_t Block::bytes() const noexcept {
    return batch_->texts.size() + batch_->entries.size() * sizeof(EventEntry) + frames_.size();
}

void Feed::push(EventBatchPtr batch) {
    CHECK(!batch->empty() && (empty() || batch->first == last() + 1));
    bytes_ += batch->texts.size();
    events_ += batch->size();
    blocks_.push_back(std::make_shared<Block>(std::move(batch)));
    // The newest block stays whatever its size: sessions at the log's end are fed from it.
    while (blocks_.size() > 1 &&
           (bytes_ > limits::feed_bytes_max || events_ > limits::feed_events_max)) {
        bytes_ -= blocks_.front()->batch().texts.size();
        events_ -= blocks_.front()->batch().size();
        blocks_.pop_front();
    }
}

void Feed::clear() noexcept {
    blocks_.clear();
    bytes_ = 0;
    events_ = 0;
}

BlockPtr Feed::find(Offset offset) const {
    if (empty() || offset < first() || offset > last()) return nullptr;
    std::size_t low = 0;
    std::size_t high = blocks_.size() - 1;
    // Sessions ask for the newest block almost always.
    if (offset >= blocks_[high]->batch().first) return blocks_[high];
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (blocks_[middle]->batch().last() < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return blocks_[low];
}

}  // namespace dyad::core

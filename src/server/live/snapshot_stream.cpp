#include "server/live/snapshot_stream.hpp"

#include "model/json_text.hpp"

#include <algorithm>

namespace dyad::server::live {
namespace {

// A frame ends with the document that makes it this large.
constexpr std::size_t kPieceBytes = 64 * 1024;

void frame(std::string& out, std::string_view text, bool final, bool continuation) {
    out.append(wire::text_header(text.size(), final, continuation).view()).append(text);
}

class StateResponse final : public SnapshotStream {
  public:
    StateResponse(const wire::Speaker& from, std::string id,
                  std::shared_ptr<const core::Snapshot> snapshot)
        : user_id_(from.user_id), now_ms_(from.now_ms), snapshot_(std::move(snapshot)) {
        order_.reserve(snapshot_->contexts.size());
        for (const ContextPtr& context : snapshot_->contexts)
            order_.push_back(context.get());
        std::sort(order_.begin(), order_.end(), [](const Context* a, const Context* b) {
            return a->updated_at_ms != b->updated_at_ms ? a->updated_at_ms > b->updated_at_ms
                                                        : a->offset > b->offset;
        });
        wire::open_envelope(head_, from, "state-response", id);
    }

    bool next(std::string& out) override {
        const bool first = !begun_;
        std::string text;
        if (first) write_head(text);
        while (at_ < order_.size() && text.size() < kPieceBytes) {
            if (at_ > 0) text += ',';
            wire::write_context_document(text, user_id_, *order_[at_++]);
        }
        const bool last = at_ == order_.size();
        if (last) {
            text.append("],\"timestamp\":");
            json::append_integer(text, now_ms_);
            text.append("}}");
        }
        frame(out, text, last, !first);
        begun_ = !last;
        return !last;
    }
    bool inside_message() const noexcept override { return begun_; }

  private:
    void write_head(std::string& text) {
        text = std::move(head_);
        text.append("{\"modeState\":");
        const auto newest = std::max_element(snapshot_->modes.begin(), snapshot_->modes.end(),
                                             [](const ModeState& a, const ModeState& b) {
                                                 return a.updated_at_ms < b.updated_at_ms;
                                             });
        if (newest == snapshot_->modes.end())
            text.append("null");
        else
            wire::write_mode_document(text, user_id_, *newest);
        text.append(",\"contexts\":[");
    }

    std::string user_id_;
    std::int64_t now_ms_;
    std::shared_ptr<const core::Snapshot> snapshot_;
    std::vector<const Context*> order_;  // newest first
    std::string head_;
    std::size_t at_ = 0;
    bool begun_ = false;
};

class SnapshotPages final : public SnapshotStream {
  public:
    explicit SnapshotPages(std::shared_ptr<const core::Snapshot> snapshot)
        : snapshot_(std::move(snapshot)) {}

    bool next(std::string& out) override {
        std::string text = R"({"type":"snapshot","payload":{"position":)";
        json::append_string(text, snapshot_->position.to_string());
        text.append(",\"part\":");
        json::append_integer(text, part_++);
        list(text, "contexts", snapshot_->contexts, contexts_,
             [](std::string& to, const ContextPtr& context) { write_context(to, *context); });
        list(text, "modes", snapshot_->modes, modes_, write_mode);
        list(text, "conflicts", snapshot_->conflicts, conflicts_, write_conflict);
        const bool last = contexts_ == snapshot_->contexts.size() &&
                          modes_ == snapshot_->modes.size() &&
                          conflicts_ == snapshot_->conflicts.size();
        text.append(last ? ",\"last\":true}}" : ",\"last\":false}}");
        frame(out, text, true, false);
        return !last;
    }
    bool inside_message() const noexcept override { return false; }

  private:
    template <class Items, class Write>
    static void list(std::string& text, std::string_view name, const Items& items, std::size_t& at,
                     Write write) {
        text.append(",\"").append(name).append("\":[");
        for (bool first = true; at < items.size() && text.size() < kPieceBytes; first = false) {
            if (!first) text += ',';
            write(text, items[at++]);
        }
        text += ']';
    }

    std::shared_ptr<const core::Snapshot> snapshot_;
    std::size_t contexts_ = 0;
    std::size_t modes_ = 0;
    std::size_t conflicts_ = 0;
    std::uint64_t part_ = 0;
};

}  // namespace

std::unique_ptr<SnapshotStream> state_response(const wire::Speaker& from, std::string id,
                                               std::shared_ptr<const core::Snapshot> snapshot) {
    return std::make_unique<StateResponse>(from, std::move(id), std::move(snapshot));
}

std::unique_ptr<SnapshotStream> snapshot_pages(std::shared_ptr<const core::Snapshot> snapshot) {
    return std::make_unique<SnapshotPages>(std::move(snapshot));
}

}  // namespace dyad::server::live

#include "server/snapshot_stream.hpp"

#include "base/limits.hpp"
#include "model/json_text.hpp"
#include "net/frame_header.hpp"
#include "wire/plain_events.hpp"

#include <algorithm>

namespace dyad::server {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

// A state-response with the newest contexts, and a context-sync for each of the others: in the
// node's name, since existing instances pass over what comes in their own.
class StateResponse final : public SnapshotStream {
  public:
    StateResponse(const wire::Speaker& from, std::string id, SnapshotPtr snapshot)
        : node_(from.instance_id),
          user_id_(from.user_id),
          now_ms_(from.now_ms),
          id_(std::move(id)),
          snapshot_(std::move(snapshot)) {
        order_.reserve(snapshot_->contexts.size());
        for (const ContextPtr& context : snapshot_->contexts)
            order_.push_back(context.get());
        std::sort(order_.begin(), order_.end(), [](const Context* a, const Context* b) {
            return a->updated_at_ms != b->updated_at_ms ? a->updated_at_ms > b->updated_at_ms
                                                        : a->offset > b->offset;
        });
    }

    bool next(std::string& out) override {
        if (said_)
            write_others(out);
        else
            write_state(out);
        return !said_ || at_ < order_.size();
    }
    bool inside_message() const noexcept override { return begun_; }

  private:
    static constexpr std::size_t kTailBytes = 64;

    void write_state(std::string& out) {
        const bool first = !begun_;
        std::string text;
        if (first) write_head(text);
        std::string document;
        bool full = false;
        while (at_ < order_.size() && !full && text.size() < kPieceBytes) {
            document.clear();
            if (at_ > 0) document += ',';
            wire::write_context_document(document, user_id_, *order_[at_]);
            full = bytes_ + text.size() + document.size() + kTailBytes >
                   static_cast<std::size_t>(limits::state_response_bytes_max);
            if (full) break;
            text.append(document);
            ++at_;
        }
        said_ = full || at_ == order_.size();
        if (said_) {
            text.append("],\"timestamp\":");
            text.append(std::to_string(now_ms_));
            if (full) {
                text.append(",\"following\":");
                text.append(std::to_string(order_.size() - at_));
            }
            text.append("}}");
        }
        bytes_ += text.size();
        const auto opcode = first ? net::Opcode::text : net::Opcode::continuation;
        out.append(net::frame_header(opcode, text.size(), said_).view()).append(text);
        begun_ = !said_;
    }

    void write_others(std::string& out) {
        while (at_ < order_.size() && out.size() < kPieceBytes) {
            const Context& context = *order_[at_++];
            const wire::Speaker from{
                .instance_id = node_, .user_id = user_id_, .now_ms = context.updated_at_ms};
            wire::write_plain_context(out, from, next_id(), context);
        }
    }

    // Each message has an id of its own: that of the state with the number of the context in it.
    std::string next_id() const {
        std::string id = id_;
        std::size_t number = at_;
        for (std::size_t i = id.size(); number != 0 && i > 24; number >>= 4)
            id[--i] = "0123456789abcdef"[number & 15];
        return id;
    }

    void write_head(std::string& text) {
        wire::open_envelope(text, {.instance_id = node_, .user_id = user_id_, .now_ms = now_ms_},
                            "state-response", id_);
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

    const std::string node_;
    const std::string user_id_;
    const std::int64_t now_ms_;
    const std::string id_;
    const SnapshotPtr snapshot_;
    std::vector<const Context*> order_;  // newest first
    std::size_t at_ = 0;
    std::size_t bytes_ = 0;  // of the state-response, so far
    bool begun_ = false;
    bool said_ = false;  // it is finished
};

class SnapshotPages final : public SnapshotStream {
  public:
    SnapshotPages(SnapshotPtr snapshot, WritePage write)
        : snapshot_(std::move(snapshot)), write_(write) {}

    bool next(std::string& out) override {
        std::string text;
        list(text, "\"contexts\":[", snapshot_->contexts, contexts_,
             [](std::string& to, const ContextPtr& context) { write_context(to, *context); });
        list(text, ",\"modes\":[", snapshot_->modes, modes_, write_mode);
        list(text, ",\"conflicts\":[", snapshot_->conflicts, conflicts_, write_conflict);
        list(text, ",\"claims\":[", snapshot_->claims, claims_, write_claim);
        const bool last =
            contexts_ == snapshot_->contexts.size() && modes_ == snapshot_->modes.size() &&
            conflicts_ == snapshot_->conflicts.size() && claims_ == snapshot_->claims.size();
        write_(out,
               {.members = text, .position = snapshot_->position, .part = part_++, .last = last});
        return !last;
    }

  private:
    template <class Items, class Write>
    static void list(std::string& text, std::string_view name, const Items& items, std::size_t& at,
                     Write write) {
        text.append(name);
        for (bool first = true; at < items.size() && text.size() < kPieceBytes; first = false) {
            if (!first) text += ',';
            write(text, items[at++]);
        }
        text += ']';
    }

    const SnapshotPtr snapshot_;
    const WritePage write_;
    std::size_t part_ = 0;
    std::size_t contexts_ = 0;
    std::size_t modes_ = 0;
    std::size_t conflicts_ = 0;
    std::size_t claims_ = 0;
};

}  // namespace

std::unique_ptr<SnapshotStream> state_response(const wire::Speaker& from, std::string id,
                                               SnapshotPtr snapshot) {
    return std::make_unique<StateResponse>(from, std::move(id), std::move(snapshot));
}

std::unique_ptr<SnapshotStream> snapshot_pages(SnapshotPtr snapshot, WritePage write) {
    return std::make_unique<SnapshotPages>(std::move(snapshot), write);
}

void write_snapshot_message(std::string& out, const SnapshotPage& page) {
    wire::TextFrame text(out, page.members.size() + 200);
    text.raw(R"({"type":"snapshot","payload":{"position":)").string(page.position.to_string());
    text.raw(R"(,"part":)").integer(page.part).raw(",").raw(page.members);
    text.raw(R"(,"last":)").value(page.last).raw("}}");
}

}  // namespace dyad::server

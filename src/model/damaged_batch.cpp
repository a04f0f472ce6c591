#include "model/damaged_batch.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace dyad {
namespace {

// The front of an event's text. No other place of a log has it: in canonical JSON "hash" stands
// before "offset".
std::string front_of(Offset offset) {
    return "{\"offset\":" + std::to_string(offset) + ",\"hash\":\"";
}

// Where the text that begins at `begin` ends; `begin` itself where that cannot be told.
std::size_t end_of_text(std::string_view texts, std::size_t begin, std::size_t said, bool is_last,
                        Offset next) {
    const std::string front = "," + front_of(next);
    if (said > begin && said <= texts.size() &&
        (is_last ? said == texts.size() : texts.substr(said).starts_with(front)))
        return said;
    if (is_last) return texts.size();
    const std::size_t found = texts.find(front, begin);
    if (found != std::string_view::npos) return found;
    return said > begin && said < texts.size() && texts[said] == ',' ? said : begin;
}

}  // namespace

std::vector<FoundEvent> find_events(std::string_view bytes, Offset first, std::size_t count) {
    std::vector<FoundEvent> found;
    if (bytes.size() < kBatchHeaderBytes) return found;
    Epoch epoch = 0;
    Hash before{};
    std::memcpy(&epoch, bytes.data() + 4, sizeof epoch);
    std::memcpy(before.data(), bytes.data() + 20, before.size());
    bytes.remove_prefix(kBatchHeaderBytes);
    count = std::min(count, bytes.size() / kBatchEntryBytes);
    const std::string_view texts = bytes.substr(count * kBatchEntryBytes);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < count; ++i) {
        FoundEvent& event = found.emplace_back();
        event.offset = first + i;
        event.epoch = epoch;
        event.prev_hash = before;
        event.entry = take_entry(bytes);
        before = event.entry.hash;

        const std::size_t said = event.entry.text_end;
        if (begin >= texts.size()) continue;
        const std::size_t end = end_of_text(texts, begin, said, i + 1 == count, event.offset + 1);
        if (end > begin) {
            event.text = texts.substr(begin, end - begin);
            begin = end + 1;
        } else {  // what comes next may be found by its own front
            const std::size_t next = texts.find(front_of(event.offset + 1), begin);
            if (next != std::string_view::npos) begin = next;
        }
    }
    return found;
}

std::optional<ProvedEvent> prove(const FoundEvent& found, const std::optional<Hash>& prev_hash,
                                 std::span<const Epoch> epochs) {
    ProvedEvent event;
    if (!decode_event(found.text, event.view) || event.view.offset != found.offset)
        return std::nullopt;
    event.salt = found.entry.salt;
    event.fingerprint = found.entry.fingerprint;
    std::vector<Epoch> tried_epochs{found.epoch};
    tried_epochs.insert(tried_epochs.end(), epochs.begin(), epochs.end());
    for (const Epoch epoch : tried_epochs) {
        for (const Hash& before : {found.prev_hash, prev_hash.value_or(found.prev_hash)}) {
            if (epoch == 0) continue;
            EventBatch again;
            LogHead head{.epoch = epoch,
                         .offset = found.offset - 1,
                         .hash = before,
                         .timestamp_ms = std::numeric_limits<std::int64_t>::min()};
            append_event(again, head, event.draft());
            if (head.hash != found.entry.hash && again.texts != found.text) continue;
            event.epoch = epoch;
            event.prev_hash = before;
            event.hash = head.hash;
            return event;
        }
    }
    return std::nullopt;
}

}  // namespace dyad

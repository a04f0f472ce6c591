#include "model/event.hpp"

#include "base/hash64.hpp"
#include "base/sha256.hpp"
#include "model/json_lexer.hpp"
#include "model/json_text.hpp"

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace dyad {
namespace {

// The most significant byte first, as an epoch is written.
std::array<std::uint8_t, 8> big_endian(Epoch epoch) {
    return std::bit_cast<std::array<std::uint8_t, 8>>(__builtin_bswap64(epoch));
}

// Of an event's text, beside the fields of any length.
constexpr std::size_t kTextBytes = 200;

Hash content_hash_of(const Salt& salt, std::string_view data) {
    return sha256({view(salt), data});
}

char* put(char* to, std::string_view bytes) {
    return to + bytes.copy(to, bytes.size());
}
// An integer or a hash, as it stands in memory: every supported target is little-endian.
template <class T>
    requires std::is_trivially_copyable_v<T> && (!std::convertible_to<T, std::string_view>)
char* put(char* to, const T& value) {
    std::memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

Hash event_hash(const LogHead& before, const EventDraft& draft, const Hash& content) {
    const std::array parts{name_of(draft.kind), draft.scope, draft.source_instance_id,
                           draft.operation_id};
    const Offset offset = before.offset + 1;
    std::size_t size = before.hash.size() + sizeof before.epoch + sizeof offset +
                       sizeof draft.timestamp_ms + content.size();
    for (std::string_view part : parts)
        size += sizeof(std::uint64_t) + part.size();
    thread_local std::string bytes;
    bytes.resize(size);
    char* to = put(bytes.data(), before.hash);
    to = put(to, before.epoch);
    to = put(to, offset);
    to = put(to, draft.timestamp_ms);
    for (std::string_view part : parts)
        to = put(put(to, std::uint64_t{part.size()}), part);
    put(to, content);
    return sha256({bytes});
}

constexpr std::size_t kHashBytes = 8;  // of the hash, in the text

// Where in a batch's texts the parts of an event's text stand that hashes go into or come from.
struct TextPlaces {
    std::size_t hash;
    std::size_t data;

    std::string_view data_of(std::string_view texts) const {
        return texts.substr(data, texts.size() - data - 1);
    }
};

// Writes the text of an event with nothing sensible in place of its hash.
TextPlaces write_text(EventBatch& batch, Offset offset, const EventDraft& draft,
                      std::size_t data_bytes,
                      const std::function<void(json::Writer&)>& write_data) {
    TextPlaces places;
    json::Writer out(batch.texts, kTextBytes + draft.scope.size() +
                                      draft.source_instance_id.size() + draft.operation_id.size() +
                                      data_bytes);
    if (!batch.empty()) out.raw(",");
    out.raw(R"({"offset":)").integer(offset).raw(R"(,"hash":")");
    places.hash = out.size();
    out.raw(R"(0123456789abcdef")").member("timestamp").integer(draft.timestamp_ms);
    out.member("eventType").word(event_type_name(draft.kind));
    out.member("kind").word(name_of(draft.kind));
    out.member("scope").string(draft.scope);
    out.member("sourceInstanceId").string(draft.source_instance_id);
    out.member("operationId").string(draft.operation_id);
    out.member("data");
    places.data = out.size();
    write_data(out);
    out.raw("}");
    return places;
}

Error damaged(Offset offset, const char* what) {
    return fail(Errc::storage_damaged, "event " + std::to_string(offset) + ": " + what);
}

}  // namespace

std::string Position::to_string() const {
    std::array<char, 16 + 1 + 20 + 1 + 16> text;
    write_hex(big_endian(epoch), text.data());
    text[16] = '.';
    char* at = std::to_chars(text.data() + 17, text.data() + text.size(), offset).ptr;
    *at++ = '.';
    write_hex(hash, at);
    return {text.data(), at + 2 * hash.size()};
}

Result<Position> Position::parse(std::string_view text) {
    constexpr std::size_t kHex = 16;
    constexpr std::size_t kShortest = kHex + 1 + 1 + 1 + kHex;
    Position position;
    if (text.size() >= kShortest && text[kHex] == '.' && text[text.size() - kHex - 1] == '.') {
        const auto offset = read_number(text.substr(kHex + 1, text.size() - kShortest + 1));
        std::array<std::uint8_t, 8> epoch;
        position.offset = offset.value_or(0);
        if (offset && read_hex(text.substr(0, kHex), epoch) &&
            read_hex(text.substr(text.size() - kHex), position.hash)) {
            position.epoch = __builtin_bswap64(std::bit_cast<Epoch>(epoch));
            return position;
        }
    }
    return fail(Errc::invalid_field,
                "position: must look like <16 hex digits>.<offset>.<16 hex digits>, as the server "
                "gave it");
}

Position LogHead::position() const noexcept {
    Position position{.epoch = epoch, .offset = offset, .hash = {}};
    if (offset != 0) std::memcpy(position.hash.data(), hash.data(), position.hash.size());
    return position;
}

Hash genesis_hash(std::string_view user_id, Epoch epoch) {
    std::string bytes;
    put_le<std::uint64_t>(bytes, epoch);
    return sha256({"dyad-log-1", user_id, bytes});
}

LogHead first_head(std::string_view user_id, std::uint64_t store_seed) {
    std::string seed;
    put_le<std::uint64_t>(seed, store_seed);
    const Hash hash = sha256({"dyad-epoch-1", user_id, seed});
    LogHead head;
    std::memcpy(&head.epoch, hash.data(), sizeof head.epoch);
    head.epoch = std::max<Epoch>(head.epoch, 1);
    head.hash = genesis_hash(user_id, head.epoch);
    return head;
}

std::uint64_t operation_key(std::string_view instance_id, std::string_view operation_id) noexcept {
    return hash64(operation_id, hash64(instance_id));
}

Status decode_event(std::string_view text, EventView& event) {
    event.text = text;
    event.offset = 0;
    json::Lexer in(text);
    const auto member = [&in](char before, std::string_view name) {
        return in.take(before) && in.take_member(name);
    };
    const auto integer = [&in](auto& out) {
        json::Number number;
        return in.number(number) && number.into(out);
    };
    std::string_view hash, type, kind;
    const bool head = member('{', "offset") && integer(event.offset) &&  //
                      member(',', "hash") && in.plain_string(hash) &&    //
                      member(',', "timestamp") && integer(event.timestamp_ms) &&
                      member(',', "eventType") && in.plain_string(type) &&  //
                      member(',', "kind") && in.plain_string(kind);
    if (!head) return damaged(event.offset, "its text does not begin as an event does");
    const auto known = by_name<EventKind>(kind);
    if (!known) return damaged(event.offset, "its kind is not known");
    event.kind = *known;
    if (!member(',', "scope") || !in.text(event.scope) ||                          //
        !member(',', "sourceInstanceId") || !in.text(event.source_instance_id) ||  //
        !member(',', "operationId") || !in.text(event.operation_id) || !member(',', "data"))
        return damaged(event.offset, "a field of its text is missing");
    const std::string_view rest = in.rest();
    if (rest.size() < 3 || rest.back() != '}') return damaged(event.offset, "its text has no end");
    event.data = rest.substr(0, rest.size() - 1);
    return Done{};
}

Result<EventView> decode_event(std::string_view text) {
    EventView event;
    TRY(decode_event(text, event));
    return event;
}

std::string_view EventBatch::text(Offset offset) const {
    return text_range(offset, offset);
}

std::string_view EventBatch::text_range(Offset from, Offset to) const {
    CHECK(!empty() && first <= from && from <= to && to <= last());
    const std::size_t begin = from == first ? 0 : entry(from - 1).text_end + 1;
    return std::string_view(texts).substr(begin, entry(to).text_end - begin);
}

LogHead EventBatch::head() const {
    CHECK(!empty());
    return {.epoch = epoch,
            .offset = last(),
            .hash = entries.back().hash,
            .timestamp_ms = entries.back().timestamp_ms};
}

EventDraft draft_of(const EventView& event, std::uint64_t fingerprint, const Salt& salt) {
    return {.kind = event.kind,
            .scope = event.scope,
            .source_instance_id = event.source_instance_id,
            .operation_id = event.operation_id,
            .data = event.data,
            .fingerprint = fingerprint,
            .timestamp_ms = event.timestamp_ms,
            .salt = salt};
}

void append_event(EventBatch& batch, LogHead& head, const EventDraft& draft) {
    append_event(batch, head, draft, draft.data.size(),
                 [&draft](json::Writer& out) { out.raw(draft.data); });
}

void append_event(EventBatch& batch, LogHead& head, const EventDraft& draft, std::size_t data_bytes,
                  const std::function<void(json::Writer&)>& write_data) {
    CHECK(draft.timestamp_ms >= head.timestamp_ms && head.epoch != 0);
    if (batch.empty()) {
        batch.epoch = head.epoch;
        batch.first = head.offset + 1;
        batch.prev_hash = head.hash;
    } else {
        CHECK(batch.last() == head.offset && batch.epoch == head.epoch);
    }
    const TextPlaces places = write_text(batch, head.offset + 1, draft, data_bytes, write_data);
    CHECK(batch.texts.size() < UINT32_MAX);

    EventEntry& entry = batch.entries.emplace_back();
    entry.timestamp_ms = draft.timestamp_ms;
    entry.salt = draft.salt;
    entry.content_hash = content_hash_of(draft.salt, places.data_of(batch.texts));
    entry.hash = event_hash(head, draft, entry.content_hash);
    entry.operation_key = operation_key(draft.source_instance_id, draft.operation_id);
    entry.fingerprint = draft.fingerprint;
    entry.scope_key = hash64(draft.scope);
    entry.text_end = static_cast<std::uint32_t>(batch.texts.size());
    write_hex(std::span(entry.hash).first(kHashBytes), batch.texts.data() + places.hash);

    head.offset += 1;
    head.hash = entry.hash;
    head.timestamp_ms = entry.timestamp_ms;
}

EventBatch batch_from(const EventBatch& batch, Offset from) {
    if (from == batch.first) return batch;
    EventBatch rest;
    rest.epoch = batch.epoch;
    rest.first = from;
    rest.prev_hash = batch.entry(from - 1).hash;
    rest.texts = batch.text_range(from, batch.last());
    const std::uint32_t cut = batch.entry(from - 1).text_end + 1;
    rest.entries.assign(batch.entries.begin() + static_cast<std::ptrdiff_t>(from - batch.first),
                        batch.entries.end());
    for (EventEntry& entry : rest.entries)
        entry.text_end -= cut;
    return rest;
}

EventBatch batch_up_to(const EventBatch& batch, Offset last) {
    EventBatch part = batch;
    part.entries.resize(last - batch.first + 1);
    part.texts.resize(part.entries.back().text_end);
    return part;
}

Status verify_batch(const EventBatch& batch) {
    EventBatch again;
    LogHead head{.epoch = batch.epoch,
                 .offset = batch.first - 1,
                 .hash = batch.prev_hash,
                 .timestamp_ms = 0};
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const Offset offset = batch.first + i;
        const EventEntry& entry = batch.entries[i];
        ASSIGN_OR_RETURN(const EventView event, decode_event(batch.text(offset)));
        if (event.timestamp_ms < head.timestamp_ms)
            return damaged(offset, "its timestamp is before the previous one");
        again.entries.clear();
        again.texts.clear();
        append_event(again, head, draft_of(event, entry.fingerprint, entry.salt));
        const EventEntry& made = again.entries.front();
        if (made.content_hash != entry.content_hash)
            return damaged(offset, "its content was changed");
        if (made.hash != entry.hash || again.texts != batch.text(offset) ||
            made.timestamp_ms != entry.timestamp_ms)
            return damaged(offset, "it does not chain to the event before it");
    }
    return Done{};
}

constexpr std::string_view kBatchMagic = "DB01";

// An entry is stored as it stands in memory.
static_assert(std::is_trivially_copyable_v<EventEntry>);
static_assert(offsetof(EventEntry, timestamp_ms) == 0 && offsetof(EventEntry, salt) == 8 &&
              offsetof(EventEntry, content_hash) == 24 && offsetof(EventEntry, hash) == 56 &&
              offsetof(EventEntry, operation_key) == 88 &&
              offsetof(EventEntry, fingerprint) == 96 && offsetof(EventEntry, scope_key) == 104 &&
              offsetof(EventEntry, text_end) == 112 && kBatchEntryBytes == 116);

void encode_batch(const EventBatch& batch, std::string& out) {
    const std::size_t begin = out.size();
    const std::size_t entries_end = begin + kBatchHeaderBytes + batch.size() * kBatchEntryBytes;
    out.reserve(entries_end + batch.texts.size());
    out.resize(entries_end);
    char* to = put(out.data() + begin, kBatchMagic);
    to = put(to, batch.epoch);
    to = put(to, batch.first);
    to = put(to, batch.prev_hash);
    to = put(to, static_cast<std::uint32_t>(batch.size()));
    to = put(to, static_cast<std::uint32_t>(batch.texts.size()));
    for (const EventEntry& entry : batch.entries) {
        std::memcpy(to, &entry, kBatchEntryBytes);
        to += kBatchEntryBytes;
    }
    out.append(batch.texts);
}

std::string encode_batch(const EventBatch& batch) {
    std::string out;
    encode_batch(batch, out);
    return out;
}

EventEntry take_entry(std::string_view& bytes) {
    const auto taken = take_bytes(bytes, kBatchEntryBytes);
    CHECK(taken.has_value());
    EventEntry entry;
    std::memcpy(static_cast<void*>(&entry), taken->data(), kBatchEntryBytes);
    return entry;
}

namespace {

Error bad_batch(const char* what) {
    return fail(Errc::storage_damaged, what);
}

// A batch in its stored form, taken apart as far as its header says.
struct StoredBatch {
    EventBatch batch;  // without its events
    std::uint32_t count = 0;
    std::string_view entries;
    std::string_view texts;

    EventEntry entry(std::size_t index) const {
        std::string_view bytes = entries.substr(index * kBatchEntryBytes);
        return take_entry(bytes);
    }
};

Result<StoredBatch> open_batch(std::string_view bytes) {
    StoredBatch stored;
    if (!bytes.starts_with(kBatchMagic)) return bad_batch("a batch of events has no header");
    bytes.remove_prefix(kBatchMagic.size());
    const auto epoch = take_le<Epoch>(bytes);
    const auto first = take_le<Offset>(bytes);
    const auto prev_hash = take_le<Hash>(bytes);
    const auto count = take_le<std::uint32_t>(bytes);
    const auto texts_bytes = take_le<std::uint32_t>(bytes);
    if (!epoch || !first || !prev_hash || !count || !texts_bytes || *first == 0)
        return bad_batch("a batch of events is cut short");
    const std::uint64_t entries_bytes = std::uint64_t{*count} * kBatchEntryBytes;
    if (bytes.size() != entries_bytes + *texts_bytes)
        return bad_batch("a batch of events has the wrong size");
    stored.batch.epoch = *epoch;
    stored.batch.first = *first;
    stored.batch.prev_hash = *prev_hash;
    stored.count = *count;
    stored.entries = bytes.substr(0, entries_bytes);
    stored.texts = bytes.substr(entries_bytes);
    return stored;
}

}  // namespace

Result<EventBatch> decode_batch(std::string_view bytes) {
    return decode_from(bytes, 0, SIZE_MAX);
}

Result<EventBatch> decode_from(std::string_view bytes, Offset from, std::size_t texts_max) {
    constexpr const char* kWrong = "a batch of events has a wrong index";
    ASSIGN_OR_RETURN(StoredBatch stored, open_batch(bytes));
    EventBatch batch = std::move(stored.batch);
    const Offset skipped = from > batch.first ? from - batch.first : 0;
    if (skipped > 0 && skipped >= stored.count) return EventBatch();
    std::uint64_t begin = 0;
    if (skipped > 0) {
        const EventEntry before = stored.entry(skipped - 1);
        batch.first = from;
        batch.prev_hash = before.hash;
        begin = before.text_end + std::uint64_t{1};
        if (begin > stored.texts.size()) return bad_batch(kWrong);
    }
    stored.entries.remove_prefix(skipped * kBatchEntryBytes);
    if (texts_max >= stored.texts.size()) batch.entries.reserve(stored.count - skipped);
    std::uint64_t end = 0;  // of the texts that are taken
    while (!stored.entries.empty() && (end == 0 || end - begin < texts_max)) {
        const std::uint64_t text = end == 0 ? begin : end + 1;
        EventEntry& entry = batch.entries.emplace_back(take_entry(stored.entries));
        end = entry.text_end;
        if (end > stored.texts.size() || end < text + 2) return bad_batch(kWrong);
        entry.text_end = static_cast<std::uint32_t>(end - begin);
    }
    if (stored.entries.empty() && end != stored.texts.size()) return bad_batch(kWrong);
    batch.texts.assign(stored.texts.substr(begin, end - begin));
    return batch;
}

}  // namespace dyad

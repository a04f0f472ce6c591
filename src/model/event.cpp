#include "model/event.hpp"

#include "base/hash64.hpp"
#include "base/sha256.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"

#include <charconv>
#include <concepts>
#include <cstring>

namespace dyad {
namespace {

template <class Integer>
bool take_integer(std::string_view& in, Integer& value) {
    const auto end = std::from_chars(in.data(), in.data() + in.size(), value);
    if (end.ec != std::errc()) return false;
    in.remove_prefix(static_cast<std::size_t>(end.ptr - in.data()));
    return true;
}

bool take_literal(std::string_view& in, std::string_view literal) {
    if (!in.starts_with(literal)) return false;
    in.remove_prefix(literal.size());
    return true;
}

// A string that the product wrote without escapes: a hash, the name of a kind.
bool take_word(std::string_view& in, std::string_view& word) {
    if (!in.starts_with('"')) return false;
    const std::size_t end = in.find('"', 1);
    if (end == std::string_view::npos) return false;
    word = in.substr(1, end - 1);
    in.remove_prefix(end + 1);
    return true;
}

void write_hex64(std::uint64_t value, char* out) {
    std::array<std::uint8_t, 8> bytes;
    for (std::size_t i = 0; i < 8; ++i)
        bytes[i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
    write_hex(bytes, out);
}

bool read_hex64(std::string_view text, std::uint64_t& value) {
    std::array<std::uint8_t, 8> bytes;
    if (!read_hex(text, bytes)) return false;
    value = 0;
    for (std::uint8_t b : bytes)
        value = value << 8 | b;
    return true;
}

// Of an event's text, beside the fields of any length.
constexpr std::size_t kTextBytes = 200;

Hash content_hash_of(const Salt& salt, std::string_view data) {
    return sha256({view(salt), data});
}

char* put(char* to, std::string_view bytes) {
    return to + bytes.copy(to, bytes.size());
}
template <std::integral Integer>
char* put(char* to, Integer value) {
    std::memcpy(to, &value, sizeof value);  // every supported target is little-endian
    return to + sizeof value;
}

Hash event_hash(const LogHead& before, const EventDraft& draft, const Hash& content) {
    const std::array parts{event_kind_name(draft.kind), draft.scope, draft.source_instance_id,
                           draft.operation_id};
    const Offset offset = before.offset + 1;
    std::size_t size = before.hash.size() + sizeof before.epoch + sizeof offset +
                       sizeof draft.timestamp_ms + content.size();
    for (std::string_view part : parts)
        size += sizeof(std::uint64_t) + part.size();
    thread_local std::string bytes;
    bytes.resize(size);
    char* to = put(bytes.data(), view(before.hash));
    to = put(to, before.epoch);
    to = put(to, offset);
    to = put(to, draft.timestamp_ms);
    for (std::string_view part : parts)
        to = put(put(to, std::uint64_t{part.size()}), part);
    put(to, view(content));
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
    out.raw(R"(0123456789abcdef","timestamp":)").integer(draft.timestamp_ms);
    out.raw(R"(,"eventType":")").raw(event_type_name(draft.kind));
    out.raw(R"(","kind":")").raw(event_kind_name(draft.kind));
    out.raw(R"(","scope":)").string(draft.scope);
    out.raw(R"(,"sourceInstanceId":)").string(draft.source_instance_id);
    out.raw(R"(,"operationId":)").string(draft.operation_id);
    out.raw(R"(,"data":)");
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
    write_hex64(epoch, text.data());
    text[16] = '.';
    char* at = std::to_chars(text.data() + 17, text.data() + text.size(), offset).ptr;
    *at++ = '.';
    write_hex(hash, at);
    return {text.data(), at + 2 * hash.size()};
}

Result<Position> Position::parse(std::string_view text) {
    Position position;
    const std::string_view whole = text;
    const auto bad = [&] {
        return fail(Errc::invalid_field,
                    "position: must look like <16 hex digits>.<offset>.<16 hex digits>, as the "
                    "server gave it");
    };
    if (whole.size() < 35 || whole.size() > 64 || !read_hex64(text.substr(0, 16), position.epoch))
        return bad();
    text.remove_prefix(16);
    if (!take_literal(text, ".") || text[0] < '0' || text[0] > '9' ||
        (text[0] == '0' && text[1] != '.') || !take_integer(text, position.offset))
        return bad();
    if (!take_literal(text, ".") || !read_hex(text, position.hash)) return bad();
    return position;
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
    std::string_view in = text;
    std::string_view hash, type, kind;
    const bool head = take_literal(in, "{\"offset\":") && take_integer(in, event.offset) &&
                      take_literal(in, ",\"hash\":") && take_word(in, hash) &&
                      take_literal(in, ",\"timestamp\":") && take_integer(in, event.timestamp_ms) &&
                      take_literal(in, ",\"eventType\":") && take_word(in, type) &&
                      take_literal(in, ",\"kind\":") && take_word(in, kind);
    if (!head) return damaged(event.offset, "its text does not begin as an event does");
    const auto known = event_kind_by_name(kind);
    if (!known) return damaged(event.offset, "its kind is not known");
    event.kind = *known;
    if (!take_literal(in, ",\"scope\":") || !json_slices::take_string(in, event.scope) ||
        !take_literal(in, ",\"sourceInstanceId\":") ||
        !json_slices::take_string(in, event.source_instance_id) ||
        !take_literal(in, ",\"operationId\":") ||
        !json_slices::take_string(in, event.operation_id) || !take_literal(in, ",\"data\":"))
        return damaged(event.offset, "a field of its text is missing");
    if (in.size() < 3 || in.back() != '}') return damaged(event.offset, "its text has no end");
    event.data = in.substr(0, in.size() - 1);
    return Done{};
}

Result<EventView> decode_event(std::string_view text) {
    EventView event;
    if (const Status done = decode_event(text, event); !done) return done.error();
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

Status verify_batch(const EventBatch& batch) {
    EventBatch again;
    LogHead head{.epoch = batch.epoch,
                 .offset = batch.first - 1,
                 .hash = batch.prev_hash,
                 .timestamp_ms = 0};
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const Offset offset = batch.first + i;
        const EventEntry& entry = batch.entries[i];
        const Result<EventView> event = decode_event(batch.text(offset));
        if (!event) return event.error();
        if (event->timestamp_ms < head.timestamp_ms)
            return damaged(offset, "its timestamp is before the previous one");
        again.entries.clear();
        again.texts.clear();
        append_event(again, head,
                     {.kind = event->kind,
                      .scope = event->scope,
                      .source_instance_id = event->source_instance_id,
                      .operation_id = event->operation_id,
                      .data = event->data,
                      .fingerprint = entry.fingerprint,
                      .timestamp_ms = event->timestamp_ms,
                      .salt = entry.salt});
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
constexpr std::size_t kHeaderBytes = kBatchHeaderBytes;
constexpr std::size_t kEntryBytes = kBatchEntryBytes;

void encode_batch(const EventBatch& batch, std::string& out) {
    const std::size_t begin = out.size();
    const std::size_t entries_end = begin + kHeaderBytes + batch.size() * kEntryBytes;
    out.reserve(entries_end + batch.texts.size());
    out.resize(entries_end);
    char* to = put(out.data() + begin, kBatchMagic);
    to = put(to, batch.epoch);
    to = put(to, batch.first);
    to = put(to, view(batch.prev_hash));
    to = put(to, static_cast<std::uint32_t>(batch.size()));
    to = put(to, static_cast<std::uint32_t>(batch.texts.size()));
    for (const EventEntry& entry : batch.entries) {
        to = put(to, entry.timestamp_ms);
        to = put(to, view(entry.salt));
        to = put(to, view(entry.content_hash));
        to = put(to, view(entry.hash));
        to = put(to, entry.operation_key);
        to = put(to, entry.fingerprint);
        to = put(to, entry.scope_key);
        to = put(to, entry.text_end);
    }
    out.append(batch.texts);
}

std::string encode_batch(const EventBatch& batch) {
    std::string out;
    encode_batch(batch, out);
    return out;
}

Result<EventBatch> decode_batch(std::string_view bytes) {
    const auto bad = [](const char* what) { return fail(Errc::storage_damaged, what); };
    EventBatch batch;
    if (!take_literal(bytes, kBatchMagic)) return bad("a batch of events has no header");
    const auto epoch = take_le<std::uint64_t>(bytes);
    const auto first = take_le<std::uint64_t>(bytes);
    const auto prev = take_bytes(bytes, batch.prev_hash.size());
    const auto count = take_le<std::uint32_t>(bytes);
    const auto texts_bytes = take_le<std::uint32_t>(bytes);
    if (!epoch || !first || !prev || !count || !texts_bytes || *first == 0)
        return bad("a batch of events is cut short");
    if (bytes.size() != static_cast<std::uint64_t>(*count) * kEntryBytes + *texts_bytes)
        return bad("a batch of events has the wrong size");
    batch.epoch = *epoch;
    batch.first = *first;
    std::memcpy(batch.prev_hash.data(), prev->data(), prev->size());
    batch.entries.resize(*count);
    std::uint32_t text_end = 0;
    for (EventEntry& entry : batch.entries) {
        entry.timestamp_ms = *take_le<std::int64_t>(bytes);
        std::memcpy(entry.salt.data(), take_bytes(bytes, 16)->data(), 16);
        std::memcpy(entry.content_hash.data(), take_bytes(bytes, 32)->data(), 32);
        std::memcpy(entry.hash.data(), take_bytes(bytes, 32)->data(), 32);
        entry.operation_key = *take_le<std::uint64_t>(bytes);
        entry.fingerprint = *take_le<std::uint64_t>(bytes);
        entry.scope_key = *take_le<std::uint64_t>(bytes);
        entry.text_end = *take_le<std::uint32_t>(bytes);
        const bool first_entry = &entry == batch.entries.data();
        if (entry.text_end > *texts_bytes ||
            entry.text_end < (first_entry ? 2 : text_end + std::uint64_t{3}))
            return bad("a batch of events has a wrong index");
        text_end = entry.text_end;
    }
    if (text_end != *texts_bytes) return bad("a batch of events has a wrong index");
    batch.texts.assign(bytes);
    return batch;
}

}  // namespace dyad

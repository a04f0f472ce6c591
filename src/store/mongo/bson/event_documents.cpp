#include "store/mongo/bson/event_documents.hpp"

#include "base/hash64.hpp"
#include "store/mongo/bson/wire_documents.hpp"

#include <algorithm>

namespace dyad::mongo {
namespace {

Error damaged(BsonView document, std::string_view what) {
    return fail(Errc::storage_damaged,
                "MongoDB: the event " + std::to_string(document.number("offset").value_or(0)) +
                    " of a user is not as it was written: " + std::string(what));
}

template <class Bytes>
bool read_bytes(BsonView document, std::string_view name, Bytes& out) {
    const auto bytes = document.binary(name);
    if (!bytes || bytes->size() != out.size()) return false;
    std::copy(bytes->begin(), bytes->end(), out.begin());
    return true;
}

bool read_unsigned(BsonView document, std::string_view name, std::uint64_t& out) {
    const auto number = document.number(name);
    out = static_cast<std::uint64_t>(number.value_or(0));
    return number.has_value();
}

}  // namespace

Bson event_document(const std::string& user_id, const EventBatch& batch, Offset offset,
                    const Change& change) {
    const EventEntry& entry = batch.entry(offset);
    const std::string_view text = batch.text(offset);
    const Result<EventView> event = decode_event(text);
    const Result<Bson> data = event_data(change);
    CHECK(event.has_value() && data.has_value());
    Bson document;
    document.text("userId", user_id)
        .text("sourceInstanceId", event->source_instance_id)
        .text("eventType", event_type_name(event->kind))
        .sub("eventData", *data)
        .null("targetInstances")
        .array("processedBy", Bson())
        .text("priority", "normal")
        .date("timestamp", entry.timestamp_ms)
        .number("offset", signed_bits(offset))
        .number("epoch", signed_bits(batch.epoch))
        .text("operationId", event->operation_id)
        .text("kind", name_of(event->kind))
        .text("scope", event->scope);
    if (const auto* context = std::get_if<ContextChange>(&change))
        document.number("version", signed_bits(context->context->version));
    return document.text("text", text)
        .binary("prev", offset == batch.first ? batch.prev_hash : batch.entry(offset - 1).hash)
        .binary("hash", entry.hash)
        .binary("contentHash", entry.content_hash)
        .binary("salt", entry.salt)
        .number("fingerprint", signed_bits(entry.fingerprint));
}

Status add_event(EventBatch& batch, BsonView document) {
    const auto text = document.text("text");
    if (!text) return damaged(document, "it has no text");
    const Result<EventView> event = decode_event(*text);
    if (!event) return damaged(document, event.error().detail);
    EventEntry entry;
    Epoch epoch = 0;
    Hash prev{};
    if (!read_bytes(document, "hash", entry.hash) || !read_bytes(document, "prev", prev) ||
        !read_bytes(document, "contentHash", entry.content_hash) ||
        !read_bytes(document, "salt", entry.salt) || !read_unsigned(document, "epoch", epoch) ||
        !read_unsigned(document, "fingerprint", entry.fingerprint))
        return damaged(document, "a field is missing");
    if (batch.empty()) {
        batch.epoch = epoch;
        batch.first = event->offset;
        batch.prev_hash = prev;
    } else if (event->offset != batch.last() + 1 || epoch != batch.epoch ||
               prev != batch.entries.back().hash) {
        return damaged(document, "it does not follow the one before");
    }
    if (!batch.texts.empty()) batch.texts.push_back(',');
    batch.texts.append(*text);
    entry.timestamp_ms = event->timestamp_ms;
    entry.operation_key = operation_key(event->source_instance_id, event->operation_id);
    entry.scope_key = hash64(event->scope);
    entry.text_end = static_cast<std::uint32_t>(batch.texts.size());
    batch.entries.push_back(entry);
    return Done{};
}

Result<LogHead> head_in(BsonView document) {
    LogHead head;
    const auto timestamp = document.date("timestamp");
    if (!read_unsigned(document, "offset", head.offset) || !timestamp ||
        !read_unsigned(document, "epoch", head.epoch) || !read_bytes(document, "hash", head.hash))
        return damaged(document, "a field is missing");
    head.timestamp_ms = *timestamp;
    return head;
}

Bson head_document(const LogHead& head) {
    return Bson()
        .number("offset", signed_bits(head.offset))
        .number("epoch", signed_bits(head.epoch))
        .binary("hash", head.hash)
        .date("timestamp", head.timestamp_ms);
}

Bson head_fields() {
    return Bson().number("offset", 1).number("epoch", 1).number("hash", 1).number("timestamp", 1);
}

}  // namespace dyad::mongo

// The document of a response, as docs/protocol.md has it: who answered, with what, and out of which
// contributions.
#include "base/limits.hpp"
#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

constexpr std::array<std::string_view, 10> kSourceMembers = {
    "sourceType",   "provider",    "model",        "confidence", "responseHash",
    "mcpToolsUsed", "inputTokens", "outputTokens", "costUsd",    "timestamp"};
enum SourceMember : std::size_t {
    kSourceType,
    kProvider,
    kModel,
    kConfidence,
    kResponseHash,
    kToolsUsed,
    kInputTokens,
    kOutputTokens,
    kCostUsd,
    kSourceTimestamp,
};
static_assert(kSourceMembers[kSourceTimestamp] == "timestamp");

constexpr std::array<std::string_view, 7> kRecordMembers = {
    "chatId", "messageId", "mode", "final", "sources", "metadata", "timestamp"};
enum RecordMember : std::size_t {
    kChatId,
    kMessageId,
    kMode,
    kFinal,
    kSources,
    kMetadata,
    kTimestamp,
};
static_assert(kRecordMembers[kTimestamp] == "timestamp");

constexpr std::array<std::string_view, 3> kMetadataMembers = {"localProvider", "externalProvider",
                                                              "harmonizationStrategy"};

// A source as it is read: what must be there, and is not yet known to be.
struct SourceFields {
    ResponseSource source;
    std::optional<SourceType> type;
    std::optional<std::int64_t> timestamp_ms;
};

struct RecordFields {
    ResponseRecord record;
    std::optional<std::string> chat_id;
    std::optional<std::string> message_id;
    std::optional<SourceFields> final;
    std::optional<std::vector<SourceFields>> sources;
};

bool take_source_member(std::size_t index, Field& field, SourceFields& f) {
    switch (static_cast<SourceMember>(index)) {
        case kSourceType:
            return put_name(field, f.type, source_type_by_name, "local, external or harmonized");
        case kProvider:
            return put(field.string(), f.source.provider);
        case kModel:
            return put(field.string(), f.source.model);
        case kConfidence:
            return put(field.number(), f.source.confidence);
        case kResponseHash:
            return put(field.string(), f.source.response_hash);
        case kToolsUsed:
            return field.strings(f.source.tools_used);
        case kInputTokens:
            return put(field.integer(), f.source.input_tokens);
        case kOutputTokens:
            return put(field.integer(), f.source.output_tokens);
        case kCostUsd:
            return put(field.number(), f.source.cost_usd);
        default:
            return put(field.integer(), f.timestamp_ms);
    }
}

Taken<bool> take_source(Field& field, SourceFields& f) {
    return field.object<kSourceMembers>(
        [&](std::size_t index, Field& member) { return take_source_member(index, member, f); });
}

// The names of its members stand alone in errors: in REST they may be the record's own.
bool take_final(Field& field, std::optional<SourceFields>& final) {
    const Taken<bool> taken = take_source(field, final.emplace());
    if (!taken.value) final.reset();
    return taken.good;
}

bool take_sources(Field& field, std::vector<SourceFields>& sources) {
    return field.elements([&](Field& element) {
        if (sources.size() >= limits::response_sources_max)
            return field.too_large("at most " + std::to_string(limits::response_sources_max) +
                                   " sources are allowed");
        const Taken<bool> taken = take_source(element, sources.emplace_back());
        if (!taken.good) return element.add_name_to_member();
        return taken.value || element.wrong("an object");
    });
}

bool take_metadata(Field& field, ResponseRecord& record) {
    std::optional<std::string>* const members[] = {
        &record.local_provider, &record.external_provider, &record.harmonization_strategy};
    return field
        .object<kMetadataMembers>(
            [&](std::size_t index, Field& member) { return put(member.string(), *members[index]); })
        .good;
}

bool take_record_member(std::size_t index, Field& field, RecordFields& f) {
    switch (static_cast<RecordMember>(index)) {
        case kChatId:
            return put(field.string(), f.chat_id);
        case kMessageId:
            return put(field.string(), f.message_id);
        case kMode:
            return put(field.string(), f.record.mode);
        case kFinal:
            return take_final(field, f.final);
        case kSources:
            return take_sources(field, f.sources.emplace());
        case kMetadata:
            return take_metadata(field, f.record);
        default:
            return put(field.integer(), f.record.timestamp_ms);
    }
}

Result<ResponseSource> complete(SourceFields&& f, const std::string& prefix) {
    if (!f.type) return missing(prefix + "sourceType");
    if (!f.timestamp_ms) return missing(prefix + "timestamp");
    f.source.type = *f.type;
    f.source.timestamp_ms = *f.timestamp_ms;
    return std::move(f.source);
}

Result<ResponseRecord> complete(RecordFields&& f) {
    if (!f.chat_id) return missing("chatId");
    if (!f.message_id) return missing("messageId");
    if (!f.final) return missing("final");
    if (!f.sources) return missing("sources");
    f.record.chat_id = *std::move(f.chat_id);
    f.record.message_id = *std::move(f.message_id);
    Result<ResponseSource> final = complete(*std::move(f.final), "");
    if (!final) return final.error();
    f.record.final = *std::move(final);
    for (std::size_t i = 0; i < f.sources->size(); ++i) {
        Result<ResponseSource> source =
            complete(std::move((*f.sources)[i]), "sources." + std::to_string(i) + ".");
        if (!source) return source.error();
        f.record.sources.push_back(*std::move(source));
    }
    return std::move(f.record);
}

}  // namespace

bool take_response(Field& field, std::optional<Result<ResponseRecord>>& out) {
    RecordFields fields;
    const Taken<bool> taken = field.object<kRecordMembers>([&](std::size_t index, Field& member) {
        return take_record_member(index, member, fields);
    });
    if (taken.value) out = complete(std::move(fields));
    return taken.good;
}

}  // namespace dyad::wire

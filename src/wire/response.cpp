// The document of a response, as docs/protocol.md has it: who answered, with what, and out of which
// contributions.
#include "base/limits.hpp"
#include "base/sha256.hpp"
#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

constexpr std::array<std::string_view, 11> kSourceMembers = {
    "sourceType",  "provider",     "model",   "confidence",   "responseHash", "mcpToolsUsed",
    "inputTokens", "outputTokens", "costUsd", "responseText", "timestamp"};
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
    kResponseText,
    kSourceTimestamp,
};
static_assert(kSourceMembers[kSourceTimestamp] == "timestamp");

// The record's own, and those of a final source that stand at the top, as in the documents of
// existing instances. The timestamp is of whichever it is.
constexpr std::array<std::string_view, 17> kRecordMembers = {
    "chatId",      "messageId",    "mode",    "final",        "sources",      "metadata",
    "sourceType",  "provider",     "model",   "confidence",   "responseHash", "mcpToolsUsed",
    "inputTokens", "outputTokens", "costUsd", "responseText", "timestamp"};
enum RecordMember : std::size_t {
    kChatId,
    kMessageId,
    kMode,
    kFinal,
    kSources,
    kMetadata,
    kAtTheTop,  // and what follows, as in SourceMember
    kTimestamp = kAtTheTop + kSourceTimestamp,
};
static_assert(kRecordMembers[kAtTheTop] == kSourceMembers[0]);
static_assert(kRecordMembers[kTimestamp] == "timestamp");

constexpr std::array<std::string_view, 3> kMetadataMembers = {"localProvider", "externalProvider",
                                                              "harmonizationStrategy"};

// A source as it is read: what must be there, and is not yet known to be.
struct SourceFields {
    ResponseSource source;
    std::optional<SourceType> type;
    std::optional<std::string> text_hash;  // of the text, which is not kept
    std::optional<std::int64_t> timestamp_ms;
};

struct RecordFields {
    ResponseRecord record;
    std::optional<std::string> chat_id;
    std::optional<std::string> message_id;
    std::optional<SourceFields> final;
    std::optional<SourceFields> at_the_top;
    std::string_view first_at_the_top;
    std::optional<std::vector<SourceFields>> sources;
    std::optional<std::int64_t> timestamp_ms;
};

bool take_text(Field& field, std::optional<std::string>& hash) {
    const Taken<std::string_view> text = field.string();
    if (text.value) hash = to_hex(sha256({*text.value}));
    return text.good;
}

bool take_tools(Field& field, std::vector<std::string>& tools) {
    std::optional<std::vector<std::string>> names;
    if (!field.strings(names)) return false;
    if (names) tools = *std::move(names);
    return true;
}

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
            return take_tools(field, f.source.tools_used);
        case kInputTokens:
            return put(field.integer(), f.source.input_tokens);
        case kOutputTokens:
            return put(field.integer(), f.source.output_tokens);
        case kCostUsd:
            return put(field.number(), f.source.cost_usd);
        case kResponseText:
            return take_text(field, f.text_hash);
        default:
            return put(field.time(), f.timestamp_ms);
    }
}

Taken<bool> take_source(Field& field, SourceFields& f) {
    return field.object<kSourceMembers>(
        [&](std::size_t index, Field& member) { return take_source_member(index, member, f); });
}

bool take_final(Field& field, std::optional<SourceFields>& final) {
    const Taken<bool> taken = take_source(field, final.emplace());
    if (!taken.value) final.reset();
    return taken.good || (taken.value && field.add_name_to_member());
}

bool take_sources(Field& field, std::optional<std::vector<SourceFields>>& sources) {
    std::vector<SourceFields> all;
    const Taken<bool> taken = field.elements([&](Field& element) {
        if (all.size() >= limits::response_sources_max)
            return field.too_large("at most " + std::to_string(limits::response_sources_max) +
                                   " sources are allowed");
        const Taken<bool> source = take_source(element, all.emplace_back());
        if (!source.good) return source.value ? element.add_name_to_member() : false;
        return source.value || element.wrong("an object");
    });
    if (taken.value) sources = std::move(all);
    return taken.good;
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
            return take_sources(field, f.sources);
        case kMetadata:
            return take_metadata(field, f.record);
        case kTimestamp:
            return put(field.time(), f.timestamp_ms);
        default:
            break;
    }
    if (!f.at_the_top) f.first_at_the_top = kRecordMembers[index];
    if (!f.at_the_top) f.at_the_top.emplace();
    return take_source_member(index - kAtTheTop, field, *f.at_the_top);
}

Result<ResponseSource> complete(SourceFields&& f, const std::string& prefix, bool fill_in) {
    if (!f.type) return missing(prefix + "sourceType");
    std::string& hash = f.source.response_hash;
    if (f.text_hash && !hash.empty() && hash != *f.text_hash)
        return fail(Errc::invalid_field, prefix + "responseHash: is not the SHA-256 of " +
                                             "responseText; send one of the two");
    if (f.text_hash) hash = *std::move(f.text_hash);
    if (hash.empty())
        return fail(Errc::missing_field,
                    prefix + "responseHash: is required (or responseText, to have it hashed)");
    if (!f.timestamp_ms && !fill_in) return missing(prefix + "timestamp");
    f.source.type = *f.type;
    f.source.timestamp_ms = f.timestamp_ms.value_or(0);
    return std::move(f.source);
}

Result<ResponseRecord> complete(RecordFields&& f, bool fill_in) {
    if (!f.chat_id) return missing("chatId");
    if (!f.message_id) return missing("messageId");
    if (f.final && f.at_the_top)
        return fail(Errc::invalid_field, "final: stands beside " + std::string(f.first_at_the_top) +
                                             ", which is final's; send it in one place");
    if (!f.final && !f.at_the_top) return missing("final");
    if (!f.sources && !fill_in) return missing("sources");
    f.record.chat_id = *std::move(f.chat_id);
    f.record.message_id = *std::move(f.message_id);
    if (f.final)
        f.record.timestamp_ms = f.timestamp_ms.value_or(0);
    else
        f.at_the_top->timestamp_ms = f.timestamp_ms;
    Result<ResponseSource> final = f.final ? complete(*std::move(f.final), "final.", fill_in)
                                           : complete(*std::move(f.at_the_top), "", fill_in);
    if (!final) return final.error();
    f.record.final = *std::move(final);
    if (!f.sources) f.sources.emplace();
    for (std::size_t i = 0; i < f.sources->size(); ++i) {
        Result<ResponseSource> source =
            complete(std::move((*f.sources)[i]), "sources." + std::to_string(i) + ".", fill_in);
        if (!source) return source.error();
        f.record.sources.push_back(*std::move(source));
    }
    return std::move(f.record);
}

}  // namespace

bool take_response(Field& field, std::optional<Result<ResponseRecord>>& out, bool fill_in) {
    RecordFields fields;
    const Taken<bool> taken = field.object<kRecordMembers>([&](std::size_t index, Field& member) {
        return take_record_member(index, member, fields);
    });
    if (taken.good && taken.value) out = complete(std::move(fields), fill_in);
    return taken.good;
}

}  // namespace dyad::wire

// The document of a response, as docs/protocol.md has it: who answered, with what, and out of which
// contributions.
#include "base/limits.hpp"
#include "base/sha256.hpp"
#include "wire/payloads.hpp"

#include <array>

namespace dyad::wire {
namespace {

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

// A member of the source itself.
template <auto place>
bool source_into(Field& field, SourceFields& f) {
    return field.into(f.source.*place);
}

bool take_text(Field& field, SourceFields& f) {
    const Taken<std::string_view> text = field.string();
    if (text.value) f.text_hash = to_hex(sha256({*text.value}));
    return text.good;
}

template <class Fields>
bool take_timestamp(Field& field, Fields& f) {
    const Taken<std::int64_t> time = field.time();
    if (time.value) f.timestamp_ms = time.value;
    return time.good;
}

constexpr MemberOf<SourceFields> kSourceMembers[] = {
    {"sourceType", into<&SourceFields::type>},
    {"provider", source_into<&ResponseSource::provider>},
    {"model", source_into<&ResponseSource::model>},
    {"confidence", source_into<&ResponseSource::confidence>},
    {"responseHash", source_into<&ResponseSource::response_hash>},
    {"mcpToolsUsed", source_into<&ResponseSource::tools_used>},
    {"inputTokens", source_into<&ResponseSource::input_tokens>},
    {"outputTokens", source_into<&ResponseSource::output_tokens>},
    {"costUsd", source_into<&ResponseSource::cost_usd>},
    {"responseText", take_text},
    {"timestamp", take_timestamp<SourceFields>},
};

bool take_final(Field& field, RecordFields& f) {
    const Taken<bool> taken = field.object<kSourceMembers>(f.final.emplace());
    if (!taken.value) f.final.reset();
    return taken.good || (taken.value && field.add_name_to_member());
}

bool take_sources(Field& field, RecordFields& f) {
    std::vector<SourceFields> all;
    const Taken<bool> taken = field.elements([&](Field& element) {
        if (all.size() >= limits::response_sources_max)
            return field.too_large("at most " + std::to_string(limits::response_sources_max) +
                                   " sources are allowed");
        const Taken<bool> source = element.object<kSourceMembers>(all.emplace_back());
        if (!source.good) return source.value ? element.add_name_to_member() : false;
        return source.value || element.wrong("an object");
    });
    if (taken.value) f.sources = std::move(all);
    return taken.good;
}

template <auto place>
bool record_into(Field& field, ResponseRecord& record) {
    return field.into(record.*place);
}
constexpr MemberOf<ResponseRecord> kMetadataMembers[] = {
    {"localProvider", record_into<&ResponseRecord::local_provider>},
    {"externalProvider", record_into<&ResponseRecord::external_provider>},
    {"harmonizationStrategy", record_into<&ResponseRecord::harmonization_strategy>},
};

// A member of a final source that stands in the record itself.
template <std::size_t index>
bool take_at_the_top(Field& field, RecordFields& f) {
    if (!f.at_the_top) f.first_at_the_top = kSourceMembers[index].name;
    if (!f.at_the_top) f.at_the_top.emplace();
    return kSourceMembers[index].take(field, *f.at_the_top);
}

constexpr MemberOf<RecordFields> kOwnMembers[] = {
    {"chatId", into<&RecordFields::chat_id>},
    {"messageId", into<&RecordFields::message_id>},
    {"mode", [](Field& field, RecordFields& f) { return field.into(f.record.mode); }},
    {"final", take_final},
    {"sources", take_sources},
    {"metadata",
     [](Field& field, RecordFields& f) { return field.object<kMetadataMembers>(f.record).good; }},
};

// The record's own, and those of a final source that stand at the top, as in the documents of
// existing instances. The timestamp, the last one, is of whichever it is.
constexpr auto kRecordMembers = [] {
    constexpr std::size_t kOwn = std::size(kOwnMembers);
    constexpr std::size_t kOfASource = std::size(kSourceMembers);
    std::array<MemberOf<RecordFields>, kOwn + kOfASource> all{};
    std::copy(std::begin(kOwnMembers), std::end(kOwnMembers), all.begin());
    [&all]<std::size_t... index>(std::index_sequence<index...>) {
        ((all[kOwn + index] = {kSourceMembers[index].name, take_at_the_top<index>}), ...);
    }(std::make_index_sequence<kOfASource>());
    all.back().take = take_timestamp<RecordFields>;
    return all;
}();
static_assert(kRecordMembers.back().name == "timestamp");

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
    ASSIGN_OR_RETURN(f.record.final, f.final ? complete(*std::move(f.final), "final.", fill_in)
                                             : complete(*std::move(f.at_the_top), "", fill_in));
    for (SourceFields& fields : std::move(f.sources).value_or(std::vector<SourceFields>())) {
        const std::string prefix = "sources." + std::to_string(f.record.sources.size()) + ".";
        ASSIGN_OR_RETURN(auto source, complete(std::move(fields), prefix, fill_in));
        f.record.sources.push_back(std::move(source));
    }
    return std::move(f.record);
}

}  // namespace

bool take_response(Field& field, std::optional<Result<ResponseRecord>>& out, bool fill_in) {
    RecordFields fields;
    const Taken<bool> taken = field.object<kRecordMembers>(fields);
    if (taken.good && taken.value) out = complete(std::move(fields), fill_in);
    return taken.good;
}

}  // namespace dyad::wire

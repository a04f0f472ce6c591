// The glass box: which AI answered what. One record per message; in parallel mode several sources
// contribute to one message, and the record keeps the final answer and each contribution.
#pragma once

#include "model/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad {

enum class SourceType : std::uint8_t { local, external, harmonized };
template <>
inline constexpr std::array<std::string_view, 3> kNamesOf<SourceType> = {"local", "external",
                                                                         "harmonized"};

// One AI's part in an answer. The response text itself is not kept: its hash proves it.
struct ResponseSource {
    SourceType type = SourceType::local;
    std::string provider;
    std::string model;
    std::optional<double> confidence;  // 0 to 1; 0 is a value, not an absence
    std::string response_hash;         // of the text, as the client made it: lower-case hexadecimal
    std::vector<std::string> tools_used;
    std::optional<std::int64_t> input_tokens;
    std::optional<std::int64_t> output_tokens;
    std::optional<double> cost_usd;
    std::int64_t timestamp_ms = 0;
};

// What one operation records: the final answer, a contribution, or both.
struct ResponseRecord {
    std::string chat_id;
    std::string message_id;
    std::string instance_id;
    std::string mode;
    ResponseSource final;
    std::vector<ResponseSource> sources;  // the contributing ones; may be empty
    std::optional<std::string> local_provider;
    std::optional<std::string> external_provider;
    std::optional<std::string> harmonization_strategy;
    std::int64_t timestamp_ms = 0;
    std::uint64_t offset = 0;  // of the event that recorded it last
};

// The record after `addition` on top of `stored`: the final answer is the addition's; contributions
// are kept per (provider, model, type), the newer one winning; at most response_sources_max.
ResponseRecord merge_responses(const ResponseRecord& stored, const ResponseRecord& addition);

}  // namespace dyad

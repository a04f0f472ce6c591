// A shared context: a JSON document under a key, with its version; and the conflicts that a merge
// left open.
#pragma once

#include "model/names.hpp"
#include "model/provenance.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad {

using Version = std::uint64_t;  // 1, 2, 3 …; 0 = the context never existed

enum class ContextType : std::uint8_t { chat, project, mode, custom };
template <>
inline constexpr std::array<std::string_view, 4> kNamesOf<ContextType> = {"chat", "project", "mode",
                                                                          "custom"};

enum class MergeStrategy : std::uint8_t { replace, merge, ignore };
template <>
inline constexpr std::array<std::string_view, 3> kNamesOf<MergeStrategy> = {"replace", "merge",
                                                                            "ignore"};

// What became of the context in the event that carries it.
enum class ContextAction : std::uint8_t {
    created,
    updated,
    deleted,
    expired,
    restored,
    resolved,  // a conflict of it was resolved
};
template <>
inline constexpr std::array<std::string_view, 6> kNamesOf<ContextAction> = {
    "created", "updated", "deleted", "expired", "restored", "resolved"};

// Immutable once published: state, feed and snapshots share it.
struct Context {
    std::string key;
    ContextType type = ContextType::custom;
    std::string mode;  // the mode it was written in, or empty
    std::string data;  // canonical JSON of an object; "null" where deleted
    std::vector<std::string> tags;
    Version version = 0;
    std::string created_by;
    std::string last_modified_by;
    std::int64_t created_at_ms = 0;
    std::int64_t updated_at_ms = 0;
    std::optional<std::int64_t> expires_at_ms;
    bool expiry_fixed = false;  // set by a writer; otherwise each write moves it on
    bool deleted = false;
    std::optional<Provenance> provenance;  // of the data; nothing: nobody said
    std::uint64_t offset = 0;              // of the event that made it so
};
using ContextPtr = std::shared_ptr<const Context>;

// One place of a document that two writers changed differently. The document keeps `stored`.
struct Conflict {
    std::string id;  // "<offset>.<n>" of the event that recorded it
    std::string context_key;
    std::string path;                     // JSON Pointer into the data
    std::optional<std::string> base;      // canonical JSON; absent: not known, or no such member
    std::optional<std::string> stored;    // absent: the member was removed
    std::optional<std::string> incoming;  // absent: the member was removed
    std::string incoming_from;            // the instance whose value is `incoming`
    Version version = 0;                  // of the context after the merge
    std::int64_t recorded_at_ms = 0;
};

}  // namespace dyad

// The names of the model's enumerations, as they stand on the wire and in the store.
#include "base/enum_names.hpp"
#include "model/context.hpp"
#include "model/event.hpp"
#include "model/mode.hpp"
#include "model/response.hpp"

namespace dyad {
namespace {

constexpr std::string_view kModes[] = {"inspired", "didactic", "parallel"};
constexpr Capabilities kCapabilities[] = {
    {.local_ai = true,
     .external_ai = false,
     .multi_channel = false,
     .offline_capable = true,
     .real_time_sync = false},
    {.local_ai = false,
     .external_ai = true,
     .multi_channel = false,
     .offline_capable = false,
     .real_time_sync = true},
    {.local_ai = true,
     .external_ai = true,
     .multi_channel = true,
     .offline_capable = false,
     .real_time_sync = true},
};
constexpr std::string_view kContextTypes[] = {"chat", "project", "mode", "custom"};
constexpr std::string_view kStrategies[] = {"replace", "merge", "ignore"};
constexpr std::string_view kActions[] = {"created", "updated",  "deleted",
                                         "expired", "restored", "resolved"};
constexpr std::string_view kSourceTypes[] = {"local", "external", "harmonized"};
constexpr std::string_view kKinds[] = {
    "context-changed",  "mode-changed",       "response-recorded", "mcp-tool-executed",
    "mcp-server-added", "mcp-server-removed", "event-lost"};
// wire.md 1.4: kinds that the five legal values do not have travel as config-updated.
constexpr std::string_view kTypes[] = {"context-updated",   "mode-changed",   "response-generated",
                                       "mcp-tool-executed", "config-updated", "config-updated",
                                       "config-updated"};

}  // namespace

std::string_view mode_name(Mode mode) noexcept {
    return name_in(kModes, mode);
}
std::optional<std::string_view> mode_name_or_none(std::optional<Mode> mode) noexcept {
    return mode ? std::optional(mode_name(*mode)) : std::nullopt;
}
std::optional<Mode> mode_by_name(std::string_view name) noexcept {
    return value_in<Mode>(kModes, name);
}
const Capabilities& capabilities_of(Mode mode) noexcept {
    return kCapabilities[static_cast<std::size_t>(mode)];
}
std::string_view context_type_name(ContextType type) noexcept {
    return name_in(kContextTypes, type);
}
std::optional<ContextType> context_type_by_name(std::string_view name) noexcept {
    return value_in<ContextType>(kContextTypes, name);
}
std::string_view merge_strategy_name(MergeStrategy strategy) noexcept {
    return name_in(kStrategies, strategy);
}
std::optional<MergeStrategy> merge_strategy_by_name(std::string_view name) noexcept {
    return value_in<MergeStrategy>(kStrategies, name);
}
std::string_view context_action_name(ContextAction action) noexcept {
    return name_in(kActions, action);
}
std::optional<ContextAction> context_action_by_name(std::string_view name) noexcept {
    return value_in<ContextAction>(kActions, name);
}
std::string_view source_type_name(SourceType type) noexcept {
    return name_in(kSourceTypes, type);
}
std::optional<SourceType> source_type_by_name(std::string_view name) noexcept {
    return value_in<SourceType>(kSourceTypes, name);
}
std::string_view event_kind_name(EventKind kind) noexcept {
    return name_in(kKinds, kind);
}
std::optional<EventKind> event_kind_by_name(std::string_view name) noexcept {
    return value_in<EventKind>(kKinds, name);
}
std::string_view event_type_name(EventKind kind) noexcept {
    return name_in(kTypes, kind);
}

}  // namespace dyad

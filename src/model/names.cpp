// The names of the model's enumerations, as they stand on the wire and in the store.
#include "model/context.hpp"
#include "model/event.hpp"
#include "model/mode.hpp"
#include "model/response.hpp"

#include <array>

namespace dyad {
namespace {

template <class Enum, std::size_t N>
std::optional<Enum> find(const std::array<std::string_view, N>& names, std::string_view name) {
    for (std::size_t i = 0; i < N; ++i)
        if (names[i] == name) return static_cast<Enum>(i);
    return std::nullopt;
}

constexpr std::array<std::string_view, 3> kModes{"inspired", "didactic", "parallel"};
constexpr std::array<Capabilities, 3> kCapabilities{{
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
}};
constexpr std::array<std::string_view, 4> kContextTypes{"chat", "project", "mode", "custom"};
constexpr std::array<std::string_view, 3> kStrategies{"replace", "merge", "ignore"};
constexpr std::array<std::string_view, 6> kActions{"created", "updated",  "deleted",
                                                   "expired", "restored", "resolved"};
constexpr std::array<std::string_view, 3> kSourceTypes{"local", "external", "harmonized"};
constexpr std::array<std::string_view, 7> kKinds{
    "context-changed",  "mode-changed",       "response-recorded", "mcp-tool-executed",
    "mcp-server-added", "mcp-server-removed", "event-lost"};
// wire.md 1.4: kinds that the five legal values do not have travel as config-updated.
constexpr std::array<std::string_view, 7> kTypes{
    "context-updated", "mode-changed",   "response-generated", "mcp-tool-executed",
    "config-updated",  "config-updated", "config-updated"};

}  // namespace

std::string_view mode_name(Mode mode) noexcept {
    return kModes[static_cast<std::size_t>(mode)];
}
std::optional<Mode> mode_by_name(std::string_view name) noexcept {
    return find<Mode>(kModes, name);
}
const Capabilities& capabilities_of(Mode mode) noexcept {
    return kCapabilities[static_cast<std::size_t>(mode)];
}
std::string_view context_type_name(ContextType type) noexcept {
    return kContextTypes[static_cast<std::size_t>(type)];
}
std::optional<ContextType> context_type_by_name(std::string_view name) noexcept {
    return find<ContextType>(kContextTypes, name);
}
std::string_view merge_strategy_name(MergeStrategy strategy) noexcept {
    return kStrategies[static_cast<std::size_t>(strategy)];
}
std::optional<MergeStrategy> merge_strategy_by_name(std::string_view name) noexcept {
    return find<MergeStrategy>(kStrategies, name);
}
std::string_view context_action_name(ContextAction action) noexcept {
    return kActions[static_cast<std::size_t>(action)];
}
std::optional<ContextAction> context_action_by_name(std::string_view name) noexcept {
    return find<ContextAction>(kActions, name);
}
std::string_view source_type_name(SourceType type) noexcept {
    return kSourceTypes[static_cast<std::size_t>(type)];
}
std::optional<SourceType> source_type_by_name(std::string_view name) noexcept {
    return find<SourceType>(kSourceTypes, name);
}
std::string_view event_kind_name(EventKind kind) noexcept {
    return kKinds[static_cast<std::size_t>(kind)];
}
std::optional<EventKind> event_kind_by_name(std::string_view name) noexcept {
    return find<EventKind>(kKinds, name);
}
std::string_view event_type_name(EventKind kind) noexcept {
    return kTypes[static_cast<std::size_t>(kind)];
}

}  // namespace dyad

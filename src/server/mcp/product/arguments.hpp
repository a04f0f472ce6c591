// The arguments of a call: one object, read strictly, each member by its table. Errors name the
// argument, what it must be and what else is known.
//
// Threads: a cell's; each has one reader of its own.
#pragma once

#include "model/json_fields.hpp"
#include "server/mcp/registry.hpp"

namespace dyad::server::mcp {

// A member of the arguments into its place.
template <auto place, class Out>
bool take(json::Field& field, Out& out) {
    return field.into(out.*place);
}
// A moment, in milliseconds or as a date.
template <auto place, class Out>
bool take_time(json::Field& field, Out& out) {
    const json::Taken<std::int64_t> time = field.time();
    if (time.value) out.*place = *time.value;
    return time.good;
}

// This thread's, opened with the call's arguments; at their opening bracket.
Result<json::Source*> open_arguments(const Call& call);

// All members that `known` names; errors for any other.
template <class Out, const auto& known>
Result<Out> read_arguments(const Call& call) {
    Out out;
    ASSIGN_OR_RETURN(json::Source* const source, open_arguments(call));
    json::Members members;
    if (!json::read_members<known>(*source, members, out) || !source->lexer().finish())
        return source->lexer().take_error();
    if (!members.others.empty()) return json::not_known_in(known, members.others.front());
    return out;
}

// `value` as it is, or `fallback`. Errors: invalid_field where it is beyond the bounds.
Result<std::size_t> within(std::string_view name, std::optional<std::int64_t> value,
                           std::int64_t fallback, std::int64_t min, std::int64_t max);
// Errors: missing_field where it is empty.
Status needed(std::string_view name, std::string_view value);

}  // namespace dyad::server::mcp

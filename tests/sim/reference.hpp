// What documents become, written a second time and as plainly as possible: the judge of the heart's
// own merges and patches.
#pragma once

#include <optional>
#include <string>

#include <boost/json/value.hpp>

namespace dyad::sim::reference {

using Json = boost::json::value;

Json parse(const std::string& text);
// RFC 7396.
Json merge_patch(const Json& document, const Json& patch);
// RFC 6902, of `add`, `remove`, `replace` and `test` with paths of one or two members; nothing
// where it does not apply.
std::optional<Json> json_patch(const Json& document, const Json& patch);
// `above` over `below`, member by member.
Json overlay(const Json& below, const Json& above);

struct Merged {
    Json document;
    std::size_t conflicts = 0;
};
// Member by member; where both changed, `ours` stays and a conflict is counted. Without `base`,
// two different values are a conflict.
Merged merge(const Json* base, const Json& ours, const Json& theirs);
// Sets or removes the member at a JSON Pointer of one or two members.
bool set_at(Json& document, const std::string& path, const std::optional<Json>& value);
// The same, with the objects on the way made where there are none; what is not there is removed.
bool resolve_at(Json& document, const std::string& path, const std::optional<Json>& value);

}  // namespace dyad::sim::reference

// Merging two versions of a document, with or without the version that both come from.
//
// Objects merge member by member, and the members' values in turn. Of any value that is not an
// object on both sides:
//   - changed on one side only: the change;
//   - changed on both sides to equal values (or removed on both): that, once;
//   - an array to the end of which both sides only added: the base, the additions that both sides
//     begin with, then the rest of the stored additions, then the rest of the incoming ones;
//   - else a conflict. Removing is a change like any other. Arrays are taken whole: elements have
//     no names, so two edits inside an array cannot be told from two meanings of one.
// A conflict keeps the stored value in `merged` and records all three, so nothing is lost: every
// value that a side changed is in `merged` or in a conflict. Without conflicts the result does not
// depend on which side is which, but for the order of additions to an array.
// Where the base has no object at a place and both sides do, they merge as if the base's were
// empty.
//
// The requirements on values of json.hpp hold here too. The result is no deeper than its inputs,
// but can have more members than either: check() it. Threads: pure functions.
#pragma once

#include "model/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dyad::json {

struct MergeConflict {
    std::string path;           // JSON Pointer; "" is the whole document
    std::optional<Value> base;  // nothing: not there, or not known
    std::optional<Value> ours;  // nothing: not there, or removed
    std::optional<Value> theirs;
};

struct MergeResult {
    Value merged;
    std::vector<MergeConflict> conflicts;  // by path; none lies inside another
};

// `ours` is the stored version, `theirs` the incoming one.
MergeResult merge3(const Value& base, const Value& ours, const Value& theirs);

// The same where the base is not known: all members of both sides, and every place where the two
// differ (arrays too) is a conflict.
MergeResult merge2(const Value& ours, const Value& theirs);

}  // namespace dyad::json

#include "model/merge.hpp"

#include "model/json_pointer.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace dyad::json {
namespace {

using boost::json::array;
using boost::json::object;

// A null pointer stands for "not there" throughout.
bool same(const Value* a, const Value* b) {
    if (a == nullptr || b == nullptr) return a == b;
    return equal(*a, *b);
}

std::optional<Value> copied(const Value* value) {
    return value == nullptr ? std::nullopt : std::optional<Value>(*value);
}

bool begins_with(const array& whole, const array& start) {
    return whole.size() >= start.size() &&
           std::equal(start.begin(), start.end(), whole.begin(), equal);
}

// The three as one array where both sides only added at the end.
std::optional<Value> merge_additions(const Value* base, const Value* ours, const Value* theirs) {
    if (base == nullptr || ours == nullptr || theirs == nullptr) return std::nullopt;
    if (!base->is_array() || !ours->is_array() || !theirs->is_array()) return std::nullopt;
    const array& start = base->get_array();
    const array& left = ours->get_array();
    const array& right = theirs->get_array();
    if (!begins_with(left, start) || !begins_with(right, start)) return std::nullopt;
    const auto rest = std::mismatch(right.begin(), right.end(), left.begin(), left.end(), equal);
    array merged(left);
    merged.insert(merged.end(), rest.first, right.end());
    return Value(std::move(merged));
}

class Merger {
  public:
    std::vector<MergeConflict> conflicts;

    std::optional<Value> merge(const Value* base, const Value* ours, const Value* theirs) {
        if (same(ours, theirs) || same(base, theirs)) return copied(ours);
        if (same(base, ours)) return copied(theirs);
        if (ours != nullptr && theirs != nullptr && ours->is_object() && theirs->is_object())
            return merge_members(base, ours->get_object(), theirs->get_object());
        if (auto merged = merge_additions(base, ours, theirs)) return merged;
        conflicts.push_back({path_, copied(base), copied(ours), copied(theirs)});
        return copied(ours);
    }

  private:
    Value merge_members(const Value* base, const object& ours, const object& theirs) {
        static const object kEmpty;
        const object& before = base != nullptr && base->is_object() ? base->get_object() : kEmpty;
        object merged;
        merged.reserve(std::max(ours.size(), theirs.size()));
        const auto add = [&](boost::json::string_view name, const Value* left, const Value* right) {
            const std::size_t parent = path_.size();
            append_token(path_, name);
            if (auto value = merge(before.if_contains(name), left, right))
                merged.emplace(name, *std::move(value));
            path_.resize(parent);
        };
        for (const auto& member : ours)
            add(member.key(), &member.value(), theirs.if_contains(member.key()));
        for (const auto& member : theirs)
            if (!ours.contains(member.key())) add(member.key(), nullptr, &member.value());
        return merged;
    }

    std::string path_;
};

MergeResult merge_all(const Value* base, const Value& ours, const Value& theirs) {
    Merger merger;
    std::optional<Value> merged = merger.merge(base, &ours, &theirs);
    CHECK(merged.has_value());
    std::sort(merger.conflicts.begin(), merger.conflicts.end(),
              [](const MergeConflict& a, const MergeConflict& b) { return a.path < b.path; });
    return {*std::move(merged), std::move(merger.conflicts)};
}

}  // namespace

MergeResult merge3(const Value& base, const Value& ours, const Value& theirs) {
    return merge_all(&base, ours, theirs);
}

MergeResult merge2(const Value& ours, const Value& theirs) {
    return merge_all(nullptr, ours, theirs);
}

}  // namespace dyad::json

// Simple second opinions on merging, to compare the product with. Written for clarity alone.
#pragma once

#include "model/json_patch.hpp"
#include "model/merge.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace dyad::test {

// RFC 7396 section 2 over plain maps: the pseudocode of the RFC, on a copy at every step.
inline json::Value reference_merge_patch(const json::Value& target, const json::Value& patch) {
    if (!patch.is_object()) return patch;
    std::map<std::string, json::Value> members;
    if (target.is_object())
        for (const auto& member : target.get_object())
            members.emplace(std::string(member.key()), member.value());
    for (const auto& change : patch.get_object()) {
        const std::string name(change.key());
        if (change.value().is_null()) {
            members.erase(name);
        } else {
            const auto found = members.find(name);
            const json::Value before = found == members.end() ? json::Value() : found->second;
            members.insert_or_assign(name, reference_merge_patch(before, change.value()));
        }
    }
    boost::json::object result;
    for (const auto& [name, value] : members)
        result.emplace(name, value);
    return result;
}

// Whether every place where `side` differs from `base` is found in `result`: as the merged value,
// as additions of an array, or in a conflict. A null pointer stands for "not there".
class NothingLost {
  public:
    NothingLost(const json::MergeResult& result, bool stored) : result_(result), stored_(stored) {}

    bool holds(const json::Value* base, const json::Value* side, const json::Value* merged,
               const std::string& path = {}) const {
        if (same(base, side) || same(side, merged)) return true;
        for (const json::MergeConflict& conflict : result_.conflicts) {
            const auto& kept = stored_ ? conflict.ours : conflict.theirs;
            if (conflict.path == path) return same(kept ? &*kept : nullptr, side);
        }
        if (side == nullptr || merged == nullptr) return false;
        if (side->is_array() && merged->is_array()) return in_order(*side, *merged);
        if (!side->is_object() || !merged->is_object()) return false;
        return members_hold(base, *side, *merged, path);
    }

  private:
    static bool same(const json::Value* a, const json::Value* b) {
        if (a == nullptr || b == nullptr) return a == b;
        return json::canonical(*a) == json::canonical(*b);
    }
    static const json::Value* member(const json::Value* of, const std::string& name) {
        return of != nullptr && of->is_object() ? of->get_object().if_contains(name) : nullptr;
    }
    // Whether all elements of `part` are in `whole`, in this order.
    static bool in_order(const json::Value& part, const json::Value& whole) {
        auto at = whole.get_array().begin();
        for (const json::Value& element : part.get_array()) {
            while (at != whole.get_array().end() && !same(&element, &*at))
                ++at;
            if (at == whole.get_array().end()) return false;
            ++at;
        }
        return true;
    }
    bool members_hold(const json::Value* base, const json::Value& side, const json::Value& merged,
                      const std::string& path) const {
        std::vector<std::string> names;
        for (const auto& each : side.get_object())
            names.emplace_back(each.key());
        if (base != nullptr && base->is_object())
            for (const auto& each : base->get_object())
                names.emplace_back(each.key());
        return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
            std::string below = path;
            json::append_token(below, name);
            return holds(member(base, name), member(&side, name), member(&merged, name), below);
        });
    }

    const json::MergeResult& result_;
    bool stored_;
};

// Canonical text with the elements of every array sorted: equal where two values differ only in
// the order of elements.
inline std::string text_without_order(const json::Value& value) {
    if (value.is_array()) {
        std::vector<std::string> elements;
        for (const json::Value& element : value.get_array())
            elements.push_back(text_without_order(element));
        std::sort(elements.begin(), elements.end());
        std::string text = "[";
        for (const std::string& element : elements)
            text.append(element).append(",");
        return text + "]";
    }
    if (!value.is_object()) return json::canonical(value);
    std::map<std::string, std::string> members;
    for (const auto& member : value.get_object())
        members.emplace(std::string(member.key()), text_without_order(member.value()));
    std::string text = "{";
    for (const auto& [name, member] : members)
        text.append(json::canonical(json::Value(name))).append(":").append(member).append(",");
    return text + "}";
}

}  // namespace dyad::test

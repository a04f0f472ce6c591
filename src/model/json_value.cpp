// The functions of json.hpp that work on values alone.
#include "model/json.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace dyad::json {
namespace {

void write(Writer& out, const Value& value);

void write_members(Writer& out, const boost::json::object& object) {
    std::vector<const boost::json::key_value_pair*> members;
    members.reserve(object.size());
    for (const auto& member : object)
        members.push_back(&member);
    const auto before = [](const auto* a, const auto* b) {
        return name_before(a->key(), b->key());
    };
    if (!std::is_sorted(members.begin(), members.end(), before))
        std::sort(members.begin(), members.end(), before);
    for (const auto* member : members) {
        out.raw(",").string(member->key()).raw(":");
        write(out, member->value());
    }
}

void write(Writer& out, const Value& value) {
    switch (value.kind()) {
        case boost::json::kind::null:
            out.raw("null");
            break;
        case boost::json::kind::bool_:
            out.value(value.get_bool());
            break;
        case boost::json::kind::int64:
            out.integer(value.get_int64());
            break;
        case boost::json::kind::uint64:
            out.integer(value.get_uint64());
            break;
        case boost::json::kind::double_:
            out.real(value.get_double());
            break;
        case boost::json::kind::string:
            out.string(value.get_string());
            break;
        case boost::json::kind::object:
            out.object([&] { write_members(out, value.get_object()); });
            break;
        case boost::json::kind::array:
            out.array(value.get_array(), [&out](const Value& element) { write(out, element); });
            break;
    }
}

bool equal_numbers(const Value& a, const Value& b) {
    if (a.is_double() && b.is_double()) return a.get_double() == b.get_double();
    if (!a.is_double() && !b.is_double()) return a == b;  // compares int64 with uint64 by value
    return canonical(a) == canonical(b);
}

Error too_large(std::string_view what, std::size_t limit) {
    return fail(Errc::too_large, std::string(what) + " = " + std::to_string(limit));
}

Status check_within(const Value& value, const ParseLimits& limits, std::size_t level,
                    std::size_t& members) {
    if (!value.is_structured()) return Done{};
    if (level >= limits.depth_max)
        return too_large("the result is nested deeper than json_depth_max", limits.depth_max);
    members += value.is_object() ? value.get_object().size() : value.get_array().size();
    if (members > limits.members_max)
        return too_large("the result has more members and elements than json_members_max",
                         limits.members_max);
    if (value.is_array()) {
        for (const Value& element : value.get_array())
            TRY(check_within(element, limits, level + 1, members));
        return Done{};
    }
    for (const auto& member : value.get_object()) {
        if (member.key().size() > limits.key_bytes_max)
            return too_large("the result has a member name longer than json_key_bytes_max",
                             limits.key_bytes_max);
        TRY(check_within(member.value(), limits, level + 1, members));
    }
    return Done{};
}

}  // namespace

std::string canonical(const Value& value) {
    constexpr std::size_t kUsualBytes = 256;
    return written(kUsualBytes, [&value](Writer& out) { write(out, value); });
}

bool equal(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return equal_numbers(a, b);
    if (a.kind() != b.kind()) return false;
    if (a.is_array()) {
        const auto& left = a.get_array();
        const auto& right = b.get_array();
        return std::equal(left.begin(), left.end(), right.begin(), right.end(), equal);
    }
    if (!a.is_object()) return a == b;
    if (a.get_object().size() != b.get_object().size()) return false;
    return std::all_of(a.get_object().begin(), a.get_object().end(), [&b](const auto& member) {
        const Value* other = b.get_object().if_contains(member.key());
        return other != nullptr && equal(member.value(), *other);
    });
}

std::size_t depth(const Value& value) {
    std::size_t below = 0;
    if (value.is_array()) {
        for (const Value& element : value.get_array())
            below = std::max(below, depth(element));
    } else if (value.is_object()) {
        for (const auto& member : value.get_object())
            below = std::max(below, depth(member.value()));
    } else {
        return 0;
    }
    return below + 1;
}

Status check(const Value& value, const ParseLimits& limits) {
    std::size_t members = 0;
    return check_within(value, limits, 0, members);
}

}  // namespace dyad::json

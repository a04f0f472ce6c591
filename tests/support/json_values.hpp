// JSON values from arbitrary bytes: few names and few scalars, so that values collide, share parts
// and differ in one place, as versions of one document do. For property tests and fuzzers.
#pragma once

#include "model/json.hpp"

#include <cstdint>
#include <span>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace dyad::test {

class ValueSource {
  public:
    explicit ValueSource(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    bool empty() const { return bytes_.empty(); }
    // 0 when the bytes are used up.
    unsigned next(unsigned bound) {
        if (bytes_.empty()) return 0;
        const unsigned byte = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return byte % bound;
    }
    std::string name() {
        static const char* const kNames[] = {"a", "b", "c", "", "a/b", "~", "\xc3\xa9", "\n"};
        return kNames[next(8)];
    }
    json::Value scalar() {
        switch (next(9)) {
            case 0:
                return nullptr;
            case 1:
                return true;
            case 2:
                return std::int64_t{-1};
            case 3:
                return std::uint64_t{18446744073709551615u};
            case 4:
                return 1.0;
            case 5:
                return 0.1;
            case 6:
                return "\xf0\x9f\x98\x80\"\\\x01";
            case 7:
                return 1e21;
            default:
                return static_cast<std::int64_t>(next(4));
        }
    }
    json::Value value(int levels = 4) {
        const unsigned shape = levels == 0 ? 0 : next(6);
        if (shape < 2) return scalar();
        const unsigned size = next(5);
        if (shape == 2) {
            boost::json::array array;
            for (unsigned i = 0; i < size; ++i)
                array.push_back(value(levels - 1));
            return array;
        }
        boost::json::object object;
        for (unsigned i = 0; i < size; ++i)
            object.insert_or_assign(name(), value(levels - 1));
        return object;
    }
    // `from` with a few edits: another version of the same document.
    json::Value version(const json::Value& from, int levels = 4) {
        switch (next(8)) {
            case 0:
                return value(levels);
            case 1:
                return from;
            default:
                break;
        }
        json::Value edited = from;
        if (edited.is_array() && levels > 0) {
            for (unsigned additions = next(3); additions > 0; --additions)
                edited.get_array().push_back(value(levels - 1));
        } else if (edited.is_object() && levels > 0) {
            auto& object = edited.get_object();
            for (auto& member : object)
                if (next(2) == 0) member.value() = version(member.value(), levels - 1);
            if (next(2) == 0) object.erase(name());
            if (next(2) == 0) object.insert_or_assign(name(), value(levels - 1));
        }
        return edited;
    }

  private:
    std::span<const std::uint8_t> bytes_;
};

}  // namespace dyad::test

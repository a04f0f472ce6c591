// JSON that this product wrote itself (canonical, no white space, by json_text.hpp's Writer), read
// back as slices of its text. Text from outside goes through json.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::json_slices {

// Reads a JSON string that stands at the front of `in`, quotes and all, and takes it off.
// False where there is none.
bool take_string(std::string_view& in, std::string& value);

// The members of a JSON object that this product wrote itself, as slices of its text. It checks as
// much as is needed never to leave the text; damage shows as a missing member.
// Lifetime: the text's.
class Object {
  public:
    // Nothing where `text` is not an object.
    static std::optional<Object> read(std::string_view text);

    std::optional<std::string_view> raw(std::string_view key) const;
    // Absent members and `null` are nothing, as is a value of another kind.
    std::optional<std::string> string(std::string_view key) const;
    std::optional<std::int64_t> integer(std::string_view key) const;
    std::optional<double> number(std::string_view key) const;
    bool is_true(std::string_view key) const { return raw(key) == "true"; }
    std::vector<std::string> strings(std::string_view key) const;

  private:
    std::vector<std::pair<std::string_view, std::string_view>> members_;
};

// The elements of a JSON array, as slices; nothing where `text` is not one.
std::optional<std::vector<std::string_view>> elements(std::string_view text);

}  // namespace dyad::json_slices

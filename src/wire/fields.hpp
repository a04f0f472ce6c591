// The members of one JSON object from a client, read once in their order: strict about what is
// known, and about everything else that it is JSON. Internal to the decoder.
#pragma once

#include "base/result.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace dyad::wire {

// The text of any kind of value, without white space round it.
Result<std::string_view> raw_text(simdjson::ondemand::value& value);
Error json_error(simdjson::error_code code);
Error repeated(std::string_view name);
Status add_other(std::vector<std::string>& others, std::string_view name);

// A text and its parser. Lifetime of views: until the next set().
class Source {
  public:
    // Copies `text` to where the parser may read beyond its end.
    Result<simdjson::ondemand::document> open(std::string_view text);
    // Nothing but white space follows what was read.
    static Status at_end(simdjson::ondemand::document& document);

    // Gives back the memory of an unusually large text. No view may be used after it.
    void forget_large();

  private:
    simdjson::ondemand::parser parser_;
    std::string padded_;
};

// One member's value, with the name that errors call it by.
class Field {
  public:
    Field(std::string_view name, simdjson::ondemand::value& value) : name_(name), value_(value) {}

    // A string; `null` counts as absent (nothing).
    Result<std::optional<std::string_view>> string();
    Result<std::optional<std::int64_t>> integer();
    Result<std::optional<std::uint64_t>> unsigned_integer();
    Result<std::optional<double>> number();
    Result<std::optional<bool>> boolean();
    // As it was written; `null` is a text too.
    Result<std::string_view> raw();
    // Canonical JSON.
    Result<std::string> document();
    Result<std::vector<std::string>> strings();
    // Unknown members are passed over, but must be JSON.
    Status skip();

  private:
    bool is_null();
    Error wrong(std::string_view wanted) const;

    std::string_view name_;
    simdjson::ondemand::value& value_;
};

// Members that a message may have beyond those that are known.
inline constexpr std::size_t kUnknownMembersMax = 64;

// Calls `take(index, field)` for each member that is named in `known`, in the order of the text.
// Errors: those of `take`; invalid_field for a name that came before; too_large for more than
// kUnknownMembersMax others.
template <std::size_t N, class Take>
Status read_members(simdjson::ondemand::object& object,
                    const std::array<std::string_view, N>& known, Take take) {
    static_assert(N <= 32);
    std::uint32_t seen = 0;
    std::vector<std::string> others;
    for (auto item : object) {
        simdjson::ondemand::field member;
        std::string_view name;
        if (auto code = std::move(item).get(member)) return json_error(code);
        if (auto code = member.unescaped_key().get(name)) return json_error(code);
        simdjson::ondemand::value value = member.value();
        Field field(name, value);
        const std::size_t index =
            static_cast<std::size_t>(std::find(known.begin(), known.end(), name) - known.begin());
        if (index == N) {
            if (Status added = add_other(others, name); !added) return added;
            if (Status skipped = field.skip(); !skipped) return skipped;
            continue;
        }
        if (seen & 1U << index) return repeated(name);
        seen |= 1U << index;
        if (Status taken = take(index, field); !taken) return taken;
    }
    return Done{};
}

}  // namespace dyad::wire

// The members of one JSON object from a client, read once in their order and where they stand:
// strict about what is known, and about everything else that it is JSON. Whether anything else may
// stand there is for the reader of each object to say. Internal to the decoder.
#pragma once

#include "base/result.hpp"
#include "model/json_canonical.hpp"
#include "model/json_lexer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::wire {

// A text that is read, and the memory that reading needs, kept between texts. After a `false` there
// is an error, and nothing else may be read. Lifetime: a text outlives its reading and every view
// of it; views of strings are good until the next open().
class Source {
  public:
    // Reads `text` from byte `start` on; errors count their bytes from its beginning.
    void open(std::string_view text, std::size_t start = 0);

    json::Lexer& lexer() noexcept { return *lexer_; }
    json::Canonicalizer& canonicalizer() noexcept { return canonicalizer_; }
    // Requires: the next byte is '"'.
    bool string(std::string_view& text) {
        return lexer_->plain_string(text) || special_string(text);
    }

    // Goes up to an object's first member, if there is one. Requires: the next byte is '{'.
    void enter_object(bool& more) noexcept {
        lexer_->advance();
        lexer_->skip_space();
        more = !lexer_->take('}');
    }
    // Goes up to the value of the member that is next.
    bool member_name(std::string_view& name) {
        if (lexer_->peek() != '"') return lexer_->unexpected("a member name in double quotes");
        if (!string(name)) return false;
        lexer_->skip_space();
        if (!lexer_->take(':')) return lexer_->unexpected("':' after a member name");
        lexer_->skip_space();
        return true;
    }
    // Goes up to the next member, or behind the object.
    bool leave_member(bool& more) {
        lexer_->skip_space();
        more = lexer_->take(',');
        if (!more) return lexer_->take('}') || lexer_->unexpected("',' or '}'");
        lexer_->skip_space();
        return true;
    }
    // Notes the name of a member that is not known.
    bool add_other(std::vector<std::string_view>& others, std::string_view name);
    [[gnu::cold]] bool refuse_repeated(std::string_view name);
    // An object that takes `known` only has another member; always false.
    [[gnu::cold]] bool refuse_other(std::string_view name, std::span<const std::string_view> known);

  private:
    bool special_string(std::string_view& text);

    std::optional<json::Lexer> lexer_;
    json::Canonicalizer canonicalizer_;
    std::size_t text_bytes_ = 0;
    std::string unescaped_;  // one after the other; never grows, so that views stay good
};

// What a field gave: no value where it was null; not good where the source has an error.
template <class T>
struct Taken {
    bool good = false;
    std::optional<T> value;
};

// One member's value, with the name that errors call it by. Exactly one of the functions below
// reads it.
class Field {
  public:
    Field(std::string_view name, Source& source) : name_(name), source_(source) {}

    Taken<std::string_view> string() {
        std::string_view text;
        if (source_.lexer().plain_string(text)) return {true, text};
        return special_string();
    }
    Taken<std::int64_t> integer() { return integer("a whole number"); }
    // A moment: milliseconds since 1970, or a date (model/time_text.hpp).
    Taken<std::int64_t> time();
    // The same, or any other number, of a clock that nobody reads.
    bool clock();
    Taken<std::uint64_t> unsigned_integer();
    Taken<double> number();
    Taken<bool> boolean();
    // As it was written; `null` is a text too. json::Lexer::raw() says how little is checked.
    bool raw(std::string_view& out);
    // Canonical JSON.
    bool document(std::string& out);
    // null leaves it as it is.
    bool strings(std::optional<std::vector<std::string>>& out);
    // An object that takes no member but `known`; `value` tells only that it was there.
    template <const auto& known, class Take>
    Taken<bool> object(Take take);
    // The elements of an array: `take(field)` for each. Their names are "name.0", "name.1" ...
    // `value` tells only that there was an array.
    template <class Take>
    Taken<bool> elements(Take take);
    // Unknown members are passed over, but must be JSON.
    bool skip();

    // The value is read, and is not what it must be; always false.
    [[gnu::cold]] bool wrong(std::string_view wanted);
    [[gnu::cold]] bool too_large(std::string_view limit);
    // A member's error is this object's; always false.
    [[gnu::cold]] bool add_name_to_member();

  private:
    Taken<std::string_view> special_string();
    Taken<std::int64_t> integer(std::string_view wanted);
    // Whether there is a first element.
    Taken<bool> begin_array(std::string_view wanted);
    bool end_element(bool& more);
    // Whether `out` is a number; `good` as in Taken.
    bool any_number(json::Number& out, bool& good, std::string_view wanted);
    bool null_or_wrong(std::string_view wanted);
    [[gnu::cold]] bool add_name_to_error();

    std::string_view name_;
    Source& source_;
};

// Members that a message may have beyond those that are known.
inline constexpr std::size_t kUnknownMembersMax = 64;

// Goes over the name of the member `next` of `known`, if it comes next.
template <const auto& known, std::size_t... indices>
bool take_known(json::Lexer& lexer, std::size_t next, std::index_sequence<indices...>) {
    return ((next == indices && lexer.take_member(known[indices])) || ...);
}

[[gnu::cold]] Error not_known(std::string_view name, std::span<const std::string_view> known);

// What stood in an object.
struct Members {
    std::uint32_t known = 0;               // a bit for each that `known` names
    std::vector<std::string_view> others;  // the names of the rest
};

// Calls `take(index, field)` for each member that is named in `known`, in the order of the text,
// and leaves the source behind the object. Quickest where the text has the order of `known`.
// Errors: those of `take`; invalid_field for a name that came before; too_large for more than
// kUnknownMembersMax others. Requires: the source stands at '{'.
template <const auto& known, class Take>
bool read_members(Source& source, Members& members, Take take) {
    constexpr std::size_t N = known.size();
    static_assert(N <= 32);
    std::size_t next = 0;
    bool more = false;
    source.enter_object(more);
    while (more) {
        std::string_view name;
        std::size_t index = next;
        if (take_known<known>(source.lexer(), next, std::make_index_sequence<N>())) {
            name = known[next];
            source.lexer().skip_space();
        } else {
            if (!source.member_name(name)) return false;
            index = static_cast<std::size_t>(std::find(known.begin(), known.end(), name) -
                                             known.begin());
        }
        Field field(name, source);
        if (index == N) {
            if (!source.add_other(members.others, name) || !field.skip()) return false;
        } else {
            if (members.known & 1U << index) return source.refuse_repeated(name);
            members.known |= 1U << index;
            next = index + 1;
            if (!take(index, field)) return false;
        }
        if (!source.leave_member(more)) return false;
    }
    return true;
}

template <const auto& known, class Take>
Taken<bool> Field::object(Take take) {
    if (source_.lexer().peek() != '{') return {null_or_wrong("an object"), std::nullopt};
    Members members;
    const bool good =
        read_members<known>(source_, members, take) &&
        (members.others.empty() || source_.refuse_other(members.others.front(), known));
    return {good, true};
}

template <class Take>
Taken<bool> Field::elements(Take take) {
    const Taken<bool> begun = begin_array("an array");
    bool more = begun.value.value_or(false);
    for (std::size_t i = 0; more; ++i) {
        const std::string name = std::string(name_) + "." + std::to_string(i);
        Field field(name, source_);
        if (!take(field) || !end_element(more)) return {false, true};
    }
    return begun;
}

}  // namespace dyad::wire

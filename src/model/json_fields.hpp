// The members of one JSON object, read once in their order and where they stand: strict about what
// is known, and about everything else that it is JSON. Whether anything else may stand there is for
// the reader of each object to say. Internal to what reads messages and documents.
#pragma once

#include "base/result.hpp"
#include "model/json_canonical.hpp"
#include "model/json_lexer.hpp"
#include "model/names.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace dyad::json {

// A text that is read, and the memory that reading needs, kept between texts. After a `false` there
// is an error, and nothing else may be read. Lifetime: a text outlives its reading and every view
// of it; views of strings are good until the next open().
class Source {
  public:
    // Reads `text` from byte `start` on; errors count their bytes from its beginning. `is_utf8`: as
    // for Lexer.
    void open(std::string_view text, std::size_t start = 0, bool is_utf8 = false);

    // Whether objects inside may have members that are not known: others than our clients write
    // them, too.
    bool pass_unknown = false;

    Lexer& lexer() noexcept { return *lexer_; }
    Canonicalizer& canonicalizer() noexcept { return canonicalizer_; }
    // Requires: the next byte is '"'.
    bool string(std::string_view& text) {
        return lexer_->plain_string(text) || special_string(text);
    }

    // Goes up to the value of the member that is next.
    bool member_name(std::string_view& name) {
        if (lexer_->peek() != '"') return lexer_->unexpected("a member name in double quotes");
        return string(name) && lexer_->colon();
    }
    // Notes the name of a member that is not known.
    bool add_other(std::vector<std::string_view>& others, std::string_view name);
    [[gnu::cold]] bool refuse_repeated(std::string_view name);

  private:
    bool special_string(std::string_view& text);

    std::optional<Lexer> lexer_;
    Canonicalizer canonicalizer_;
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
    Taken<std::int64_t> integer();
    // A moment: milliseconds since 1970, or a date (model/time_text.hpp).
    Taken<std::int64_t> time();
    // The same, or any other number, of a clock that nobody reads.
    bool clock();
    Taken<std::uint64_t> unsigned_integer();
    Taken<double> number();
    Taken<bool> boolean();
    Taken<std::vector<std::string>> strings();
    // One of the above, by what `out` holds, maybe optionally; null leaves it as it is.
    template <class Out>
    bool into(Out& out);
    // A name out of a closed set, which `wanted()` lists; null leaves `out` as it is.
    template <class Out, class ByName, class Wanted>
    bool name_into(Out& out, ByName by_name, Wanted wanted);
    // As it was written; `null` is a text too. Lexer::raw() says how little is checked.
    bool raw(std::string_view& out);
    // Canonical JSON.
    bool document(std::string& out);
    template <class Out>
    bool document_unless_null(Out& out);
    // An object that takes no member but those of `known` (read_members); `value` tells only that
    // it was there.
    template <const auto& known, class Out>
    Taken<bool> object(Out& out);
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
    // Whether there is a first element.
    Taken<bool> begin_array(std::string_view wanted);
    bool end_element(bool& more) { return source_.lexer().leave(']', more) || add_name_to_error(); }
    Taken<Number> any_number(std::string_view wanted);
    template <class Integer>
    Taken<Integer> whole(std::string_view wanted);
    bool null_or_wrong(std::string_view wanted);
    [[gnu::cold]] bool add_name_to_error();

    std::string_view name_;
    Source& source_;
};

// What may stand in an object, and what takes it: a table of these, constexpr.
template <class Out>
struct MemberOf {
    std::string_view name;
    bool (*take)(Field& field, Out& out);
};

// Members that a message may have beyond those that are known.
inline constexpr std::size_t kUnknownMembersMax = 64;

// Goes over the name of the member `next` of `known`, if it comes next.
template <const auto& known, std::size_t... indices>
bool take_known(Lexer& lexer, std::size_t next, std::index_sequence<indices...>) {
    return ((next == indices && lexer.take_member(known[indices].name)) || ...);
}

[[gnu::cold]] Error not_known(std::string_view name, std::span<const std::string_view> known);
template <class Table>
Error not_known_in(const Table& known, std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& member : known)
        names.push_back(member.name);
    return not_known(name, names);
}

// What stood in an object.
struct Members {
    std::uint64_t known = 0;               // a bit for each that `known` names
    std::vector<std::string_view> others;  // the names of the rest
};

// Takes each member that is named in the table `known` into `out`, in the order of the text, and
// leaves the source behind the object. Quickest where the text has the order of `known`.
// Errors: those of taking; invalid_field for a name that came before; too_large for more than
// kUnknownMembersMax others. Requires: the source stands at '{'.
template <const auto& known, class Out>
bool read_members(Source& source, Members& members, Out& out) {
    constexpr std::size_t N = std::size(known);
    static_assert(N <= 64);
    std::size_t next = 0;
    bool more = false;
    source.lexer().enter('}', more);
    while (more) {
        std::string_view name;
        std::size_t index = next;
        if (take_known<known>(source.lexer(), next, std::make_index_sequence<N>())) {
            name = known[next].name;
            source.lexer().skip_space();
        } else {
            if (!source.member_name(name)) return false;
            const auto is_it = [&name](const auto& member) { return member.name == name; };
            const auto at = std::find_if(std::begin(known), std::end(known), is_it);
            index = static_cast<std::size_t>(at - std::begin(known));
        }
        Field field(name, source);
        if (index == N) {
            if (!source.add_other(members.others, name) || !field.skip()) return false;
        } else {
            const std::uint64_t bit = std::uint64_t{1} << index;
            if (members.known & bit) return source.refuse_repeated(name);
            members.known |= bit;
            next = index + 1;
            if (!known[index].take(field, out)) return false;
        }
        if (!source.lexer().leave('}', more)) return false;
    }
    return true;
}

template <class T>
struct Held {
    using type = T;
};
template <class T>
struct Held<std::optional<T>> {
    using type = T;
};

template <class Out>
bool Field::into(Out& out) {
    using T = typename Held<Out>::type;
    const auto put = [&out](auto&& taken) {
        if (taken.value) out = Out(*std::move(taken.value));
        return taken.good;
    };
    if constexpr (std::same_as<T, bool>)
        return put(boolean());
    else if constexpr (std::floating_point<T>)
        return put(number());
    else if constexpr (std::signed_integral<T>)
        return put(integer());
    else if constexpr (std::unsigned_integral<T>)
        return put(unsigned_integer());
    else if constexpr (std::same_as<T, std::vector<std::string>>)
        return put(strings());
    else if constexpr (NamedEnum<T>)
        return name_into(out, by_name<T>, any_of_names<T>);
    else
        return put(string());
}

template <class Out, class ByName, class Wanted>
bool Field::name_into(Out& out, ByName by_name, Wanted wanted) {
    const Taken<std::string_view> text = string();
    if (!text.value) return text.good;
    const auto value = by_name(*text.value);
    if (!value) return wrong(wanted());
    out = *value;
    return true;
}

template <class Out>
bool Field::document_unless_null(Out& out) {
    std::string text;
    if (!document(text)) return false;
    if (text != "null") out = std::move(text);
    return true;
}

template <const auto& known, class Out>
Taken<bool> Field::object(Out& out) {
    if (source_.lexer().peek() != '{') return {null_or_wrong("an object"), std::nullopt};
    Members members;
    if (!read_members<known>(source_, members, out)) return {false, true};
    if (members.others.empty() || source_.pass_unknown) return {true, true};
    return {source_.lexer().refuse(not_known_in(known, members.others.front())), true};
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

}  // namespace dyad::json

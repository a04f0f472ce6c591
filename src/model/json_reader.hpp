// The grammar of JSON text over the words of Lexer: drives a Sink through one value. It recurses,
// as far as ParseLimits let a value be nested. Internal to the reading of JSON; see json.hpp for
// the rules.
//
// A Sink has, called in the order of the text:
//   void begin_object();           bool end_object(Lexer&);
//   void begin_array();            void end_array();
//   bool name(Lexer&, const RawString&, std::size_t position);   // then the member's value
//   void element();                                              // then the element's value
//   void string(const RawString&); void literal(std::string_view);
//   bool number(Lexer&, const Number&);
// What returns bool returns false after it recorded an error with the lexer.
#pragma once

#include "model/json.hpp"
#include "model/json_lexer.hpp"

#include <optional>
#include <string>

namespace dyad::json {

// Reads the value that the lexer stands at, and leaves the lexer after it. Nothing: the lexer has
// the error.
std::optional<Value> read_value(Lexer& lexer, const ParseLimits& limits);

template <class Sink>
class Reader {
  public:
    Reader(Lexer& lexer, const ParseLimits& limits, Sink& sink)
        : lexer_(lexer), limits_(limits), sink_(sink) {}

    // Reads the value that the lexer stands at, and leaves the lexer after it. False: the lexer has
    // the error.
    bool run() { return value(); }

  private:
    [[gnu::always_inline]] bool value() {
        const char c = lexer_.peek();
        if (c == '{') return container<'}'>();
        if (c == '[') return container<']'>();
        if (c == '"') {
            RawString string;
            if (!lexer_.string(string)) return false;
            sink_.string(string);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            Number number;
            return lexer_.number(number) && sink_.number(lexer_, number);
        } else {
            const std::string_view word = c == 't' ? "true" : c == 'f' ? "false" : "null";
            if (!lexer_.literal(word)) return false;
            sink_.literal(word);
        }
        return true;
    }

    template <char closing>
    bool container() {
        constexpr bool is_object = closing == '}';
        if (depth_ >= limits_.depth_max)
            return too_large("nested deeper than json_depth_max", limits_.depth_max,
                             "make the document flatter");
        ++depth_;
        bool more = false;
        is_object ? sink_.begin_object() : sink_.begin_array();
        lexer_.enter(closing, more);
        while (more) {
            if (++members_ > limits_.members_max)
                return too_large("more members and elements than json_members_max",
                                 limits_.members_max, "split the document");
            if (!is_object)
                sink_.element();
            else if (!name())
                return false;
            if (!value() || !lexer_.leave(closing, more)) return false;
        }
        --depth_;
        if (is_object) return sink_.end_object(lexer_);
        sink_.end_array();
        return true;
    }

    // A member's name, up to its value.
    [[gnu::always_inline]] bool name() {
        const std::size_t position = lexer_.position();
        if (lexer_.peek() != '"') return lexer_.unexpected("a member name in double quotes");
        RawString name;
        if (!lexer_.string(name)) return false;
        if (name_bytes(name) > limits_.key_bytes_max)
            return too_large("before this byte stands a member name longer than json_key_bytes_max",
                             limits_.key_bytes_max, "shorten it");
        return sink_.name(lexer_, name, position) && lexer_.colon();
    }

    static std::size_t name_bytes(const RawString& name) {
        if (!name.escaped) return name.body.size();
        std::string bytes;
        append_unescaped(bytes, name);
        return bytes.size();
    }

    bool too_large(std::string_view what, std::size_t limit, std::string_view advice) {
        std::string text(what);
        text.append(" = ").append(std::to_string(limit)).append("; ").append(advice);
        return lexer_.fail_at(lexer_.position(), Errc::too_large, text);
    }

    Lexer& lexer_;
    const ParseLimits& limits_;
    Sink& sink_;
    std::size_t depth_ = 0;
    std::size_t members_ = 0;
};

}  // namespace dyad::json

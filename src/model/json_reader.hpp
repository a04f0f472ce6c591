// The grammar of JSON text over the words of Lexer: drives a Sink through one value. It keeps its
// own stack of open brackets, so neither depth nor length of a value touches the machine's stack.
// Internal to the reading of JSON; see json.hpp for the rules.
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
    bool run() {
        bool more = true;
        while (more)
            if (!value() || !after_value(more)) return false;
        return true;
    }

  private:
    // Reads a scalar or an empty container, or goes inside a container up to its first value.
    [[gnu::always_inline]] bool value() {
        for (;;) {
            const char c = lexer_.peek();
            if (c == '{' || c == '[') {
                bool entered = false;
                if (!open(c, entered)) return false;
                if (!entered) return true;
                continue;
            }
            return scalar(c);
        }
    }

    [[gnu::always_inline]] bool scalar(char c) {
        if (c == '"') {
            RawString string;
            if (!lexer_.string(string)) return false;
            sink_.string(string);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            Number number;
            if (!lexer_.number(number) || !sink_.number(lexer_, number)) return false;
        } else {
            const std::string_view word = c == 't' ? "true" : c == 'f' ? "false" : "null";
            if (!lexer_.literal(word)) return false;
            sink_.literal(word);
        }
        return true;
    }

    [[gnu::always_inline]] bool open(char bracket, bool& entered) {
        if (open_.size() >= limits_.depth_max)
            return too_large("nested deeper than json_depth_max", limits_.depth_max,
                             "make the document flatter");
        lexer_.advance();
        lexer_.skip_space();
        open_.push_back(bracket);
        if (bracket == '{') {
            sink_.begin_object();
            entered = lexer_.peek() != '}';
        } else {
            sink_.begin_array();
            entered = lexer_.peek() != ']';
        }
        return entered ? next_item() : close();
    }

    [[gnu::always_inline]] bool close() {
        lexer_.advance();
        const bool object = open_.back() == '{';
        open_.pop_back();
        if (object) return sink_.end_object(lexer_);
        sink_.end_array();
        return true;
    }

    // Before a value inside a container: counts it, and reads its name.
    [[gnu::always_inline]] bool next_item() {
        if (++members_ > limits_.members_max)
            return too_large("more members and elements than json_members_max", limits_.members_max,
                             "split the document");
        if (open_.back() == '[') {
            sink_.element();
            return true;
        }
        const std::size_t position = lexer_.position();
        if (lexer_.peek() != '"') return lexer_.unexpected("a member name in double quotes");
        RawString name;
        if (!lexer_.string(name)) return false;
        if (name_bytes(name) > limits_.key_bytes_max)
            return too_large("before this byte stands a member name longer than json_key_bytes_max",
                             limits_.key_bytes_max, "shorten it");
        if (!sink_.name(lexer_, name, position)) return false;
        lexer_.skip_space();
        if (lexer_.peek() != ':') return lexer_.unexpected("':' after a member name");
        lexer_.advance();
        lexer_.skip_space();
        return true;
    }

    // Closes what ends here, up to the next value or (`more` is false) the end of the outermost.
    [[gnu::always_inline]] bool after_value(bool& more) {
        for (;;) {
            if (open_.empty()) {
                more = false;
                return true;
            }
            lexer_.skip_space();
            const bool object = open_.back() == '{';
            const char c = lexer_.peek();
            if (c == ',') {
                lexer_.advance();
                lexer_.skip_space();
                return next_item();
            }
            if (c != (object ? '}' : ']'))
                return lexer_.unexpected(object ? "',' or '}'" : "',' or ']'");
            if (!close()) return false;
        }
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
    std::string open_;  // the open brackets, outermost first
    std::size_t members_ = 0;
};

}  // namespace dyad::json

// Canonical text of values as a Lexer comes to them, made in one reading (the rules: json.hpp).
// Internal to the reading of JSON and of messages.
#pragma once

#include "model/json.hpp"
#include "model/json_lexer.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace dyad::json {

// Keeps its memory between values, so that the usual value costs no allocation but that of the
// string which leaves. Threads: one owner.
class Canonicalizer {
  public:
    Canonicalizer();
    ~Canonicalizer();

    // Reads the value that the lexer stands at, and leaves the lexer after it. False: the lexer has
    // the error, which is that of parse().
    bool read(Lexer& lexer, const ParseLimits& limits = {});
    // Of the last value; requires one. Lifetime: until the next call, and that of the lexer's text.
    std::string_view text();

    // Gives back the memory that an unusually large value took. No text() may be used after it.
    void forget_large();

  private:
    class Writer;
    std::unique_ptr<Writer> writer_;  // from the first value on
};

}  // namespace dyad::json

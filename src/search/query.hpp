// What a user looks for, as typed or pasted:
//
//     query := all ( OR all )*
//     all   := item ( [AND] item | NOT item )*     every item must match, none after NOT may
//     item  := word ["*"] | "phrase" ["*"] | "(" query ")"
//
// A word ends at a blank, a quotation mark or a bracket, and is cut into terms as every text is
// (search/words.hpp); they must follow one another. "*" after it matches what begins so.
//
// Nothing that can mean something is an error: an operator without something on both sides is a
// word like any other, brackets and quotation marks without their counterpart are blanks, words
// without a letter or digit are left out. Emoji count where there is nothing else to look for.
//
// Threads: pure.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::search {

struct Phrase {
    std::vector<std::string> terms;  // at least one
    bool is_prefix = false;          // the last term is only the beginning of one
    bool is_sign = false;            // emoji only
};

class Query {
  public:
    struct Node {
        enum class Kind : std::uint8_t { phrase, all, any };
        Kind kind = Kind::phrase;
        std::size_t phrase = 0;     // of phrases()
        std::vector<Node> parts;    // of `all` and `any`: at least one
        std::vector<Node> without;  // of `all`
    };

    // Errors: invalid_field where there is nothing to look for, too_large.
    static Result<Query> parse(std::string_view text);

    // In the order of the text.
    const std::vector<Phrase>& phrases() const noexcept { return phrases_; }
    const Node& root() const noexcept { return root_; }

  private:
    std::vector<Phrase> phrases_;
    Node root_;
};

}  // namespace dyad::search

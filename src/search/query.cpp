#include "search/query.hpp"

#include "base/limits.hpp"
#include "search/words.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace dyad::search {
namespace {

using Node = Query::Node;

struct Token {
    enum class Kind : std::uint8_t { operand, open, close, op_and, op_or, op_not };
    Kind kind = Kind::operand;
    std::string_view text = {};
    bool is_prefix = false;
};
using Tokens = std::vector<Token>;

// The bytes of the blank that `text` begins with; 0 where it begins with something else.
std::size_t blank_bytes(std::string_view text) {
    UChar32 c = 0;
    std::int32_t end = 0;
    U8_NEXT(text.data(), end, static_cast<std::int32_t>(text.size()), c);
    // Not u_iscntrl: to it joiners and other invisible characters inside of words are controls,
    // too.
    const bool blank = c >= 0 && (u_isUWhiteSpace(c) || u_charType(c) == U_CONTROL_CHAR);
    return blank ? static_cast<std::size_t>(end) : 0;
}

class Tokenizer {
  public:
    explicit Tokenizer(std::string_view text) : in_(text) {}

    Tokens run() {
        while (!in_.empty()) {
            if (const std::size_t blank = blank_bytes(in_); blank != 0)
                in_.remove_prefix(blank);
            else if (in_[0] == '(' || in_[0] == ')')
                take_bracket();
            else if (in_[0] == '"')
                take_quotation();
            else
                take_word();
        }
        return std::move(tokens_);
    }

  private:
    // Deeper ones, and those that close nothing, are left out.
    void take_bracket() {
        constexpr int kDepthMax = 16;
        if (in_[0] == '(') {
            if (++depth_ <= kDepthMax) tokens_.push_back({.kind = Token::Kind::open});
        } else if (depth_ > 0) {
            if (depth_-- <= kDepthMax) tokens_.push_back({.kind = Token::Kind::close});
        }
        in_.remove_prefix(1);
    }

    void take_quotation() {
        const std::size_t end = in_.find('"', 1);
        if (end == std::string_view::npos) return in_.remove_prefix(1);
        tokens_.push_back({.text = in_.substr(1, end - 1)});
        in_.remove_prefix(end + 1);
        const std::size_t stars = std::min(in_.find_first_not_of('*'), in_.size());
        tokens_.back().is_prefix = stars != 0;
        in_.remove_prefix(stars);
    }

    void take_word() {
        std::size_t end = 0;
        while (end < in_.size() && in_[end] != '(' && in_[end] != ')' && in_[end] != '"' &&
               blank_bytes(in_.substr(end)) == 0)
            ++end;
        const std::string_view word = in_.substr(0, end);
        using enum Token::Kind;
        const auto kind = word == "AND"   ? op_and
                          : word == "OR"  ? op_or
                          : word == "NOT" ? op_not
                                          : operand;
        tokens_.push_back({.kind = kind, .text = word, .is_prefix = word.ends_with('*')});
        in_.remove_prefix(end);
    }

    std::string_view in_;
    int depth_ = 0;
    Tokens tokens_;
};

bool begins_item(const Tokens& tokens, std::size_t at) {
    return at < tokens.size() &&
           (tokens[at].kind == Token::Kind::operand || tokens[at].kind == Token::Kind::open);
}

// Operators without something on both sides become words.
void demote_operators(Tokens& tokens) {
    bool after_item = false;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        Token::Kind& kind = tokens[i].kind;
        if (kind == Token::Kind::open || kind == Token::Kind::close) {
            after_item = kind == Token::Kind::close;
            continue;
        }
        const bool and_not = kind == Token::Kind::op_and && i + 1 < tokens.size() &&
                             tokens[i + 1].kind == Token::Kind::op_not &&
                             begins_item(tokens, i + 2);
        if (!after_item || (!and_not && !begins_item(tokens, i + 1))) kind = Token::Kind::operand;
        after_item = kind == Token::Kind::operand || and_not;
    }
}

// Of a phrase without a term there is nothing left.
std::optional<Phrase> phrase_of(const Token& token) {
    Phrase phrase{.terms = {}, .is_prefix = token.is_prefix, .is_sign = true};
    cut(token.text, [&](const Term& term) {
        if (term.text == kGap && phrase.terms.empty()) return true;
        phrase.terms.emplace_back(term.text);
        phrase.is_sign = phrase.is_sign && term.is_sign;
        return true;
    });
    while (!phrase.terms.empty() && phrase.terms.back() == kGap)
        phrase.terms.pop_back();
    if (phrase.terms.empty()) return std::nullopt;
    return phrase;
}

class Parser {
  public:
    Parser(const Tokens& tokens, bool with_signs) : tokens_(tokens), with_signs_(with_signs) {}

    std::optional<Node> run(std::vector<Phrase>& phrases) {
        std::optional<Node> root = any();
        if (root) number(*root, phrases);
        return root;
    }

  private:
    bool at_end() const { return at_ == tokens_.size() || at(Token::Kind::close); }
    bool at(Token::Kind kind) const { return at_ < tokens_.size() && tokens_[at_].kind == kind; }
    bool take(Token::Kind kind) {
        const bool taken = at(kind);
        at_ += taken ? 1 : 0;
        return taken;
    }

    std::optional<Node> any() {
        Node node{.kind = Node::Kind::any};
        do {
            if (auto part = all()) node.parts.push_back(*std::move(part));
        } while (take(Token::Kind::op_or));
        return joined(std::move(node));
    }

    std::optional<Node> all() {
        Node node{.kind = Node::Kind::all};
        while (!at_end() && !at(Token::Kind::op_or)) {
            take(Token::Kind::op_and);
            const bool is_without = take(Token::Kind::op_not);
            auto part = item(is_without);
            if (part) (is_without ? node.without : node.parts).push_back(*std::move(part));
        }
        return joined(std::move(node));
    }

    static std::optional<Node> joined(Node node) {
        if (node.parts.empty()) return std::nullopt;
        if (node.parts.size() > 1 || !node.without.empty()) return node;
        Node only = std::move(node.parts.front());
        return only;
    }

    std::optional<Node> item(bool is_without) {
        if (take(Token::Kind::open)) {
            std::optional<Node> inside = any();
            take(Token::Kind::close);
            return inside;
        }
        std::optional<Phrase> phrase = phrase_of(tokens_[at_++]);
        if (!phrase || (phrase->is_sign && !is_without && !with_signs_)) return std::nullopt;
        found_.push_back(*std::move(phrase));
        return Node{.phrase = found_.size() - 1};
    }

    // In the order of the tree; those of parts that were left out are gone.
    void number(Node& node, std::vector<Phrase>& phrases) {
        if (node.kind == Node::Kind::phrase) {
            phrases.push_back(std::move(found_[node.phrase]));
            node.phrase = phrases.size() - 1;
        }
        for (Node& part : node.parts)
            number(part, phrases);
        for (Node& part : node.without)
            number(part, phrases);
    }

    const Tokens& tokens_;
    bool with_signs_;
    std::size_t at_ = 0;
    std::vector<Phrase> found_;
};

}  // namespace

Result<Query> Query::parse(std::string_view text) {
    if (text.size() > static_cast<std::size_t>(limits::query_bytes_max))
        return fail(Errc::too_large,
                    "q: at most " + std::to_string(limits::query_bytes_max) + " bytes are allowed");
    Tokens tokens = Tokenizer(text).run();
    demote_operators(tokens);
    for (const bool with_signs : {false, true}) {
        Query query;
        if (auto root = Parser(tokens, with_signs).run(query.phrases_)) {
            query.root_ = *std::move(root);
            return query;
        }
    }
    return fail(Errc::invalid_field,
                "q: has no letter and no digit to look for; write words, \"phrases\", word*, OR, "
                "NOT and brackets");
}

}  // namespace dyad::search

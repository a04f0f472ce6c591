#include "search/words.hpp"

#include "search/fold.hpp"

#include <array>

#include <unicode/utf8.h>
#include <unicode/uversion.h>

namespace dyad::search {
namespace {

// Lower case of letters and digits; 0 for what else there is.
constexpr std::array<char, 128> ascii_words() {
    std::array<char, 128> words{};
    for (char c = '0'; c <= '9'; ++c)
        words[static_cast<std::size_t>(c)] = c;
    for (char c = 'a'; c <= 'z'; ++c) {
        words[static_cast<std::size_t>(c)] = c;
        words[static_cast<std::size_t>(c) - 'a' + 'A'] = c;
    }
    return words;
}
constexpr std::array<char, 128> kAsciiWords = ascii_words();

bool is_ascii(char c) {
    return static_cast<unsigned char>(c) < 0x80;
}

class Cutter {
  public:
    explicit Cutter(const TermSink& sink) : sink_(sink) {}

    void run(std::string_view text) {
        std::size_t at = 0;
        while (at < text.size() && !enough_) {
            const std::size_t begin = at;
            // What follows may be a mark of an ASCII letter.
            if (is_ascii(text[at]) && (at + 1 == text.size() || is_ascii(text[at + 1]))) {
                ascii(text[at], at);
                ++at;
                continue;
            }
            at += piece_bytes(text.substr(at));
            // A copy, for a sink may cut, too.
            piece(Folded(fold(text.substr(begin, at - begin))), begin, at);
        }
        flush();
    }

  private:
    void ascii(char c, std::size_t at) {
        if (const char folded = kAsciiWords[static_cast<std::size_t>(c)]; folded != 0)
            return add_to_word({&folded, 1}, at, at + 1);
        add(c == '\n' || c == '\r' ? Kind::line_break : Kind::separator, {&c, 1}, at, at + 1);
    }

    void piece(const Folded& folded, std::size_t begin, std::size_t end) {
        if (folded.kind != Kind::several) return add(folded.kind, folded.text, begin, end);
        const std::string& text = folded.text;
        for (std::int32_t i = 0; i < static_cast<std::int32_t>(text.size());) {
            const auto from = static_cast<std::size_t>(i);
            UChar32 c = 0;
            U8_NEXT_UNSAFE(text.data(), i, c);
            const auto bytes = static_cast<std::size_t>(i) - from;
            add(kind_of(static_cast<char32_t>(c)), std::string_view(text).substr(from, bytes),
                begin, end);
        }
    }

    void add(Kind kind, std::string_view text, std::size_t begin, std::size_t end) {
        switch (kind) {
            case Kind::word:
                return add_to_word(text, begin, end);
            case Kind::single:
            case Kind::sign:
                flush();
                if (after_single_ && separated_) emit_gap(begin);
                start(kind, begin);
                return append(text, end);
            case Kind::mark:
                to_compose_ = true;
                if (kind_ != Kind::nothing) append(text, end);
                return;
            case Kind::nothing:
                to_compose_ = true;
                if (kind_ != Kind::nothing) end_ = end;
                return;
            case Kind::separator:
                flush();
                separated_ = true;
                if (text == kGap) emit_gap(begin);
                return;
            case Kind::line_break:
            case Kind::several:
                return flush();
        }
    }

    void add_to_word(std::string_view text, std::size_t begin, std::size_t end) {
        if (kind_ != Kind::word) {
            flush();
            start(Kind::word, begin);
        }
        append(text, end);
    }

    void start(Kind kind, std::size_t begin) {
        kind_ = kind;
        begin_ = begin;
        is_full_ = to_compose_ = false;
    }

    void append(std::string_view text, std::size_t end) {
        end_ = end;
        is_full_ = is_full_ || term_.size() + text.size() > kTermBytesMax;
        if (!is_full_) term_.append(text);
    }

    void flush() {
        if (kind_ == Kind::nothing) return;
        if (to_compose_) term_ = compose(term_);
        after_single_ = kind_ != Kind::word;
        separated_ = false;
        emit({term_, begin_, end_, kind_ == Kind::sign});
        term_.clear();
        kind_ = Kind::nothing;
    }

    void emit_gap(std::size_t at) {
        emit({kGap, at, at, true});
        after_single_ = false;
    }

    void emit(const Term& term) {
        if (!enough_) enough_ = !sink_(term);
    }

    const TermSink& sink_;
    bool enough_ = false;
    Kind kind_ = Kind::nothing;  // of the term that is being put together
    std::string term_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool is_full_ = false;
    bool to_compose_ = false;
    bool after_single_ = false;  // the last term was one
    bool separated_ = false;     // since the last term
};

}  // namespace

int cutting_version() noexcept {
    constexpr int kVersion = 2;
    UVersionInfo icu;
    u_getVersion(icu);
    return kVersion * 1000 + icu[0];
}

void cut(std::string_view text, const TermSink& sink) {
    Cutter(sink).run(text);
}

}  // namespace dyad::search

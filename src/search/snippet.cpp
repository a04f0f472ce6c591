// The snippet of a hit: where most of the query stands, cut and marked between whole characters.
#include "base/check.hpp"
#include "search/match.hpp"
#include "search/words.hpp"

#include <algorithm>
#include <memory>

#include <unicode/brkiter.h>
#include <unicode/utext.h>

namespace dyad::search {
namespace {

using Node = Query::Node;

constexpr std::size_t kFragmentBytes = 240;  // from the first match on
constexpr std::size_t kLeadBytes = 60;       // before it

struct Place {
    std::size_t begin;
    std::size_t end;
    std::size_t phrase;
};

// Where what a reader sees as a character begins and ends in a text.
class Characters {
  public:
    explicit Characters(std::string_view text) : text_(text) {}
    ~Characters() {
        if (source_ != nullptr) utext_close(source_);
    }
    Characters(const Characters&) = delete;
    Characters& operator=(const Characters&) = delete;

    std::size_t floor(std::size_t at) {
        return is_between(at) ? at : static_cast<std::size_t>(breaks_->preceding(place(at)));
    }
    std::size_t ceil(std::size_t at) {
        return is_between(at) ? at : static_cast<std::size_t>(breaks_->following(place(at)));
    }

  private:
    static std::int32_t place(std::size_t at) { return static_cast<std::int32_t>(at); }

    bool is_between(std::size_t at) {
        const auto is_plain = [](char c) { return c >= ' ' && (c & 0x80) == 0; };
        if (at == 0 || at >= text_.size()) return true;
        if (is_plain(text_[at - 1]) && is_plain(text_[at])) return true;
        if (!breaks_) open();
        return breaks_->isBoundary(place(at)) != 0;
    }

    void open() {
        UErrorCode error = U_ZERO_ERROR;
        const auto bytes = static_cast<std::int64_t>(text_.size());
        source_ = utext_openUTF8(nullptr, text_.data(), bytes, &error);
        breaks_.reset(icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), error));
        CHECK(U_SUCCESS(error) && breaks_ != nullptr);
        breaks_->setText(source_, error);
        CHECK(U_SUCCESS(error));
    }

    std::string_view text_;
    UText* source_ = nullptr;
    std::unique_ptr<icu::BreakIterator> breaks_;
};

// The phrases that a hit has, or may have.
void add_wanted(const Node& node, std::vector<std::size_t>& wanted) {
    if (node.kind == Node::Kind::phrase) wanted.push_back(node.phrase);
    for (const Node& part : node.parts)
        add_wanted(part, wanted);
}

struct Seen {
    std::string text;
    std::size_t begin;
    std::size_t end;
};

// The terms of a text, and where the phrases of a query stand among them.
struct Reading {
    Reading(const Query& query, std::string_view text) {
        std::vector<std::size_t> wanted;
        add_wanted(query.root(), wanted);
        std::vector<bool> found(query.phrases().size());
        std::size_t missing = wanted.size();
        std::size_t enough_at = 0;
        cut(text, [&](const Term& term) {
            terms.push_back({std::string(term.text), term.begin, term.end});
            for (const std::size_t number : wanted) {
                const Phrase& phrase = query.phrases()[number];
                if (!ends_with(phrase)) continue;
                places.push_back(
                    {terms[terms.size() - phrase.terms.size()].begin, term.end, number});
                if (found[number]) continue;
                found[number] = true;
                --missing;
                enough_at = term.end + kFragmentBytes;
            }
            is_whole = missing != 0 || term.begin <= enough_at;
            return is_whole;
        });
        std::sort(places.begin(), places.end(),
                  [](const Place& a, const Place& b) { return a.begin < b.begin; });
    }

    bool ends_with(const Phrase& phrase) const {
        const std::size_t length = phrase.terms.size();
        if (terms.size() < length) return false;
        for (std::size_t i = 0; i + 1 < length; ++i)
            if (terms[terms.size() - length + i].text != phrase.terms[i]) return false;
        const std::string& last = terms.back().text;
        return phrase.is_prefix ? last.starts_with(phrase.terms.back())
                                : last == phrase.terms.back();
    }

    std::vector<Seen> terms;
    std::vector<Place> places;  // in the order of the text
    bool is_whole = true;       // the text was read to its end
};

// The first place from which on a fragment has the most different phrases.
std::size_t best_place(const std::vector<Place>& places, std::size_t phrases) {
    std::vector<std::size_t> inside(phrases);
    std::size_t distinct = 0;
    std::size_t next = 0;
    std::size_t best = 0;
    std::size_t most = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {
        for (; next < places.size() && places[next].begin < places[i].begin + kFragmentBytes;
             ++next)
            distinct += inside[places[next].phrase]++ == 0 ? 1 : 0;
        if (distinct > most) {
            most = distinct;
            best = i;
        }
        distinct -= --inside[places[i].phrase] == 0 ? 1 : 0;
    }
    return best;
}

// A fragment about `from`, from a term to a term; what little stands outside the first and the last
// one belongs to it.
Place fragment_at(const Reading& reading, const Place& from, std::size_t text_bytes) {
    constexpr std::size_t kRestBytes = 20;
    Place fragment = from;
    for (const Seen& term : reading.terms) {
        if (term.begin + kLeadBytes >= from.begin && term.begin < fragment.begin)
            fragment.begin = term.begin;
        if (term.end <= from.begin + kFragmentBytes)
            fragment.end = std::max(fragment.end, term.end);
    }
    fragment.end = std::min(fragment.end, fragment.begin + 2 * kFragmentBytes);
    if (fragment.begin <= kRestBytes) fragment.begin = 0;
    if (reading.is_whole && fragment.end == reading.terms.back().end &&
        text_bytes - fragment.end <= kRestBytes)
        fragment.end = text_bytes;
    return fragment;
}

void append_line(std::string& out, std::string_view text) {
    for (const char c : text)
        out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
}

std::string marked(const Reading& reading, std::string_view text, Place fragment) {
    Characters characters(text);
    fragment.begin = characters.floor(fragment.begin);
    fragment.end = characters.ceil(fragment.end);
    std::string out = fragment.begin == 0 ? "" : "…";
    std::size_t at = fragment.begin;
    for (const Place& place : reading.places) {
        if (place.end <= at) continue;
        if (place.begin >= fragment.end) break;
        const std::size_t begin = std::max(at, characters.floor(place.begin));
        const std::size_t end = std::min(fragment.end, characters.ceil(place.end));
        if (end <= begin) continue;
        append_line(out, text.substr(at, begin - at));
        out += '\x02';
        append_line(out, text.substr(begin, end - begin));
        out += '\x03';
        at = end;
    }
    append_line(out, text.substr(at, fragment.end - at));
    out.erase(out.find_last_not_of(' ') + 1);
    if (fragment.end < text.size()) out += "…";
    return out;
}

}  // namespace

std::string snippet(const Query& query, std::string_view key, std::string_view body) {
    for (const std::string_view text : {body, key}) {
        const Reading reading(query, text);
        if (reading.places.empty()) continue;
        const Place& best = reading.places[best_place(reading.places, query.phrases().size())];
        return marked(reading, text, fragment_at(reading, best, text.size()));
    }
    return {};
}

}  // namespace dyad::search

#include "search/match.hpp"

#include "model/json.hpp"
#include "search/words.hpp"

#include <algorithm>

namespace dyad::search {
namespace {

using Node = Query::Node;

void collect(const json::Value& value, std::string& out) {
    if (const auto* text = value.if_string()) {
        out.append(text->data(), text->size()).append(kGap);
    } else if (value.is_number()) {
        out.append(json::canonical(value)).append(kGap);
    } else if (const auto* array = value.if_array()) {
        for (const auto& element : *array)
            collect(element, out);
    } else if (const auto* object = value.if_object()) {
        for (const auto& member : *object)
            collect(member.value(), out);
    }
}

std::vector<std::string> terms_of(std::string_view text) {
    std::vector<std::string> terms;
    cut(text, [&](const Term& term) {
        terms.emplace_back(term.text);
        return true;
    });
    return terms;
}

std::uint32_t count_phrase(const Phrase& phrase, const std::vector<std::string>& terms) {
    const auto is_like = [&](const std::string& term, const std::string& wanted) {
        const bool last = &wanted == &phrase.terms.back();
        return last && phrase.is_prefix ? term.starts_with(wanted) : term == wanted;
    };
    std::uint32_t found = 0;
    for (auto at = terms.begin();; ++at, ++found) {
        at = std::search(at, terms.end(), phrase.terms.begin(), phrase.terms.end(), is_like);
        if (at == terms.end()) return found;
    }
}

// The weight of a part, 0 where it does not match.
double weigh(const Node& node, std::span<const Occurrences> phrases, double body_length) {
    if (node.kind == Node::Kind::phrase) {
        // BM25's saturation and its length of the text, against a usual length.
        constexpr double kSaturation = 1.2;
        constexpr double kLength = 0.75;
        constexpr double kKeyWeight = 4;
        const double in_key = phrases[node.phrase].in_key;
        const double in_body = phrases[node.phrase].in_body;
        return kKeyWeight * in_key * (kSaturation + 1) / (in_key + kSaturation) +
               in_body * (kSaturation + 1) /
                   (in_body + kSaturation * (1 - kLength + kLength * body_length));
    }
    double sum = 0;
    for (const Node& part : node.parts) {
        const double weight = weigh(part, phrases, body_length);
        if (weight == 0 && node.kind == Node::Kind::all) return 0;
        sum += weight;
    }
    for (const Node& part : node.without)
        if (weigh(part, phrases, body_length) > 0) return 0;
    return sum;
}

}  // namespace

std::string body_of(const Context& context) {
    const Result<json::Value> value = json::parse(context.data);
    std::string out;
    if (value) collect(*value, out);
    for (const std::string& tag : context.tags)
        out.append(tag).append(kGap);
    return out;
}

Counted count(const Query& query, std::string_view key, std::string_view body) {
    const std::vector<std::string> key_terms = terms_of(key);
    const std::vector<std::string> body_terms = terms_of(body);
    Counted counted{.phrases = {}, .body_terms = body_terms.size()};
    for (const Phrase& phrase : query.phrases())
        counted.phrases.push_back({.in_key = count_phrase(phrase, key_terms),
                                   .in_body = count_phrase(phrase, body_terms)});
    return counted;
}

double score(const Query& query, std::span<const Occurrences> phrases, std::size_t body_terms) {
    constexpr double kUsualTerms = 100;
    CHECK(phrases.size() == query.phrases().size());
    return weigh(query.root(), phrases, static_cast<double>(body_terms) / kUsualTerms);
}

}  // namespace dyad::search

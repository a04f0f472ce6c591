#include "sim/reference.hpp"

#include "base/check.hpp"

#include <set>
#include <vector>

#include <boost/json/parse.hpp>

namespace dyad::sim::reference {
namespace {

const Json* member(const Json& value, const std::string& name) {
    return value.is_object() ? value.get_object().if_contains(name) : nullptr;
}

bool same(const Json* a, const Json* b) {
    return a == nullptr || b == nullptr ? a == b : *a == *b;
}

std::vector<std::string> names_of(const std::string& path) {
    std::vector<std::string> names;
    for (const char c : path) {
        if (c == '/')
            names.emplace_back();
        else
            names.back() += c;
    }
    return names;
}

}  // namespace

Json parse(const std::string& text) {
    boost::system::error_code error;
    Json value = boost::json::parse(text, error);
    CHECK(!error);
    return value;
}

Json merge_patch(const Json& document, const Json& patch) {
    if (!patch.is_object()) return patch;
    Json result = document.is_object() ? document : Json(boost::json::object());
    for (const auto& [name, value] : patch.get_object()) {
        if (value.is_null()) {
            result.get_object().erase(name);
        } else {
            const Json* old = member(result, std::string(name));
            result.get_object().insert_or_assign(name, merge_patch(old ? *old : Json(), value));
        }
    }
    return result;
}

bool set_at(Json& document, const std::string& path, const std::optional<Json>& value) {
    const std::vector<std::string> names = names_of(path);
    Json* at = &document;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
        at = at->is_object() ? at->get_object().if_contains(names[i]) : nullptr;
        if (at == nullptr) return false;
    }
    if (names.empty() || !at->is_object()) return false;
    if (value)
        at->get_object().insert_or_assign(names.back(), *value);
    else
        at->get_object().erase(names.back());
    return true;
}

bool resolve_at(Json& document, const std::string& path, const std::optional<Json>& value) {
    const std::vector<std::string> names = names_of(path);
    Json* at = &document;
    for (std::size_t i = 0; value && i + 1 < names.size(); ++i) {
        if (!at->is_object()) return false;
        at = &at->get_object().emplace(names[i], boost::json::object()).first->value();
    }
    return set_at(document, path, value) || !value;
}

std::optional<Json> json_patch(const Json& document, const Json& patch) {
    Json result = document;
    for (const Json& step : patch.as_array()) {
        const std::string op(step.at("op").as_string());
        const std::string path(step.at("path").as_string());
        const Json* at = &result;
        for (const std::string& name : names_of(path))
            at = at == nullptr ? nullptr : member(*at, name);
        if (op != "add" && at == nullptr) return std::nullopt;
        if (op == "test") {
            if (*at != step.at("value")) return std::nullopt;
        } else if (!set_at(result, path,
                           op == "remove" ? std::nullopt : std::optional(step.at("value")))) {
            return std::nullopt;
        }
    }
    return result;
}

Json overlay(const Json& below, const Json& above) {
    if (!below.is_object() || !above.is_object()) return above;
    Json result = below;
    for (const auto& [name, value] : above.get_object()) {
        const Json* old = member(below, std::string(name));
        result.get_object().insert_or_assign(name, old ? overlay(*old, value) : value);
    }
    return result;
}

Merged merge(const Json* base, const Json& ours, const Json& theirs) {
    Merged merged{.document = boost::json::object(), .conflicts = 0};
    std::set<std::string> names;
    for (const Json* side : {&ours, &theirs})
        for (const auto& [name, value] : side->get_object())
            names.insert(std::string(name));
    for (const std::string& name : names) {
        const Json* b = base ? member(*base, name) : nullptr;
        const Json* o = member(ours, name);
        const Json* t = member(theirs, name);
        const Json* kept = o;
        Merged inner;
        if (same(o, t)) {
            kept = o;
        } else if (base != nullptr && same(b, o)) {
            kept = t;
        } else if (base != nullptr && same(b, t)) {
            kept = o;
        } else if (o != nullptr && t != nullptr && o->is_object() && t->is_object()) {
            inner = merge(b != nullptr && b->is_object() ? b : nullptr, *o, *t);
            merged.conflicts += inner.conflicts;
            kept = &inner.document;
        } else if (base == nullptr && (o == nullptr || t == nullptr)) {
            kept = o != nullptr ? o : t;
        } else {
            merged.conflicts += 1;
        }
        if (kept != nullptr) merged.document.get_object()[name] = *kept;
    }
    return merged;
}

}  // namespace dyad::sim::reference

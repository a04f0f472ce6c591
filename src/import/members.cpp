#include "import/members.hpp"

namespace dyad::import {
namespace {

Error of(std::string_view name, std::string_view path, Errc code, std::string_view what) {
    return fail(code, std::string(path.empty() ? name : path).append(": ").append(what));
}

}  // namespace

const json::Value* find(const Object& object, std::string_view name) {
    const json::Value* const found = object.if_contains(name);
    return found == nullptr || found->is_null() ? nullptr : found;
}

Result<const json::Value*> member(const Object& object, std::string_view name,
                                  std::string_view path) {
    const json::Value* const found = find(object, name);
    if (found == nullptr) return of(name, path, Errc::missing_field, "is required");
    return found;
}

Result<std::string> text_in(const Object& object, std::string_view name, std::string_view path) {
    ASSIGN_OR_RETURN(const json::Value* const found, member(object, name, path));
    if (!found->is_string()) return of(name, path, Errc::invalid_field, "must be a string");
    return std::string(found->get_string());
}

Result<std::vector<std::string>> texts_in(const Object& object, std::string_view name,
                                          std::string_view path) {
    ASSIGN_OR_RETURN(const json::Value* const found, member(object, name, path));
    const Error wrong = of(name, path, Errc::invalid_field, "must be an array of strings");
    if (!found->is_array()) return wrong;
    std::vector<std::string> out;
    for (const json::Value& one : found->get_array()) {
        if (!one.is_string()) return wrong;
        out.emplace_back(one.get_string());
    }
    return out;
}

}  // namespace dyad::import

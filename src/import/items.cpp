#include "import/items.hpp"

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "import/graph.hpp"
#include "import/members.hpp"
#include "model/identity.hpp"
#include "model/json.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <map>

namespace dyad::import {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr json::ParseLimits kLarge{64, 4'000'000, 65'536};

Status check_count(const std::vector<Item>& items) {
    if (std::cmp_less_equal(items.size(), limits::contexts_per_user_max)) return Done{};
    return fail(Errc::too_large, "the file has more than contexts_per_user_max = " +
                                     std::to_string(limits::contexts_per_user_max) +
                                     " notes; divide it");
}

Status check_data(const Item& item) {
    if (std::cmp_greater(item.data.size(), limits::document_bytes_max))
        return fail(Errc::too_large, item.key + ": is larger than document_bytes_max = " +
                                         std::to_string(limits::document_bytes_max) + "; split it");
    return Done{};
}

// `take(value, line)` for each line that is not blank.
template <class Take>
Status for_lines(std::string_view text, Take take) {
    for (std::size_t line = 1; !text.empty(); ++line) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view one = trimmed(text.substr(0, end), kBlanks);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (one.empty()) continue;
        const Result<json::Value> value = json::parse(one, kLarge);
        if (!value) return at_line(line, "", value.error());
        if (!value->is_object())
            return fail(Errc::invalid_field,
                        "line " + std::to_string(line) + ": must be a JSON object");
        if (const Status taken = take(value->get_object(), line); !taken)
            return at_line(line, "", taken.error());
    }
    return Done{};
}

// Tags that a context can have; the others are left out.
std::vector<std::string> tags_of(const std::vector<std::string>& names) {
    std::vector<std::string> out;
    for (const std::string& name : names)
        if (out.size() < static_cast<std::size_t>(limits::context_tags_max) &&
            std::find(out.begin(), out.end(), name) == out.end() &&
            check_name("tag", name, limits::context_tag_bytes_max, NameRule::label))
            out.push_back(name);
    return out;
}

// The names of the categories of an export, by their ids.
std::map<std::string, std::string> categories_of(const Object& whole) {
    std::map<std::string, std::string> out;
    const json::Value* const list = find(whole, "categories");
    if (list == nullptr || !list->is_array()) return out;
    for (const json::Value& one : list->get_array())
        if (const Object* category = one.if_object()) {
            const auto id = text_in(*category, "id"), name = text_in(*category, "name");
            if (id && name) out[*id] = *name;
        }
    return out;
}

Result<std::string> words_of(const Object& memory) {
    for (const std::string_view name : {"content", "memory", "text"})
        if (find(memory, name) != nullptr) return text_in(memory, name);
    return fail(Errc::missing_field, "content: is required (or memory, or text)");
}

// One memory; nothing where it was deleted.
Result<std::optional<Item>> memory_of(const Object& memory,
                                      const std::map<std::string, std::string>& categories) {
    if (text_in(memory, "state") && *text_in(memory, "state") == "deleted")
        return std::optional<Item>();
    ASSIGN_OR_RETURN(const std::string words, words_of(memory));
    Item item;
    std::string id = to_hex(sha256({words})).substr(0, 32);
    if (find(memory, "id") != nullptr) {
        ASSIGN_OR_RETURN(id, text_in(memory, "id"));
        TRY(check_name("id", id, limits::context_key_bytes_max - 8, NameRule::label));
    }
    item.key = "memory:" + id;
    std::vector<std::string> names;
    for (const std::string_view list : {"categories", "category_ids"}) {
        if (find(memory, list) == nullptr) continue;
        ASSIGN_OR_RETURN(const auto texts, texts_in(memory, list));
        for (const std::string& text : texts) {
            const auto known = categories.find(text);
            if (known != categories.end() || list == "categories")
                names.push_back(known == categories.end() ? text : known->second);
        }
    }
    item.tags = tags_of(names);
    Object data{{"text", words}};
    if (const json::Value* found = find(memory, "metadata"); found && found->is_object())
        if (!found->get_object().empty()) data["metadata"] = *found;
    for (const auto& [from, to] : {std::pair{"created_at", "createdAt"},
                                   {"updated_at", "updatedAt"},
                                   {"app", "app"},
                                   {"app_name", "app"}})
        if (const json::Value* found = find(memory, from)) data[to] = *found;
    item.data = json::canonical(std::move(data));
    TRY(check_data(item));
    return std::optional<Item>(std::move(item));
}

// The line that byte `at` is in.
std::size_t line_at(std::string_view text, std::size_t at) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(at, text.size()));
    return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

// Of a whole text that is JSON, its list of memories.
const boost::json::array* memories_of(const json::Value& whole) {
    if (const auto* list = whole.if_array()) return list;
    if (const Object* object = whole.if_object())
        for (const std::string_view name : {"memories", "results", "items"})
            if (const json::Value* found = find(*object, name); found && found->is_array())
                return &found->get_array();
    return nullptr;
}

Status add(std::vector<Item>& items, Result<std::optional<Item>> item, std::size_t line) {
    if (!item) return item.error();
    if (!*item) return Done{};
    (*item)->line = line;
    const auto same = [&](const Item& other) { return other.key == (*item)->key; };
    const auto found = std::find_if(items.begin(), items.end(), same);
    if (found == items.end())
        items.push_back(**std::move(item));
    else
        *found = **std::move(item);  // what stands later in a file is newer
    return check_count(items);
}

}  // namespace

Error at_line(std::size_t line, std::string_view field, const Error& error) {
    if (error.detail.starts_with("line ")) return error;
    std::string detail = "line " + std::to_string(line) + ": ";
    if (!field.empty()) detail.append(field).append(": ");
    return fail(error.code, detail + error.detail, error.where);
}

std::optional<Format> format_of(std::string_view name, std::string_view text) {
    const std::string lower = to_lower(name);
    for (const std::string_view end : {".md", ".mdc", ".markdown", ".cursorrules", ".mdx"})
        if (lower.ends_with(end)) return Format::markdown;
    const std::string_view body = trimmed(text, kBlanks);
    if (!body.starts_with('{') && !body.starts_with('[')) return std::nullopt;
    const Result<json::Value> first = json::parse(body.substr(0, body.find('\n')), kLarge);
    if (first && first->is_object()) {
        const auto type = text_in(first->get_object(), "type");
        if (type && (*type == "entity" || *type == "relation")) return Format::reference;
    }
    return Format::openmemory;
}

Result<std::vector<Item>> read_items(Format format, std::string_view text, std::string_view label) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (text.starts_with("PK\x03\x04") || text.starts_with("\x1f\x8b"))
        return fail(Errc::invalid_field,
                    "the file: is packed; unpack it and import what is in it (memories.json)");
    if (const Utf8 good = scan_utf8(text); good.valid_bytes != text.size())
        return at_line(line_at(text, good.valid_bytes), "",
                       fail(Errc::invalid_utf8, "is not UTF-8"));
    switch (format) {
        case Format::reference:
            return read_reference(text);
        case Format::openmemory:
            return read_openmemory(text);
        case Format::markdown:
            return read_markdown(text, label);
    }
    return fail(Errc::invalid_field, "from: must be " + any_of_names<Format>());
}

Result<std::vector<Item>> read_reference(std::string_view text) {
    std::vector<Item> items;
    std::map<std::string, std::pair<Entity, std::size_t>> entities;  // and their items
    const auto take_entity = [&](const Object& object, std::size_t line) -> Status {
        Entity entity;
        ASSIGN_OR_RETURN(entity.name, text_in(object, "name"));
        ASSIGN_OR_RETURN(entity.type, text_in(object, "entityType"));
        ASSIGN_OR_RETURN(entity.observations, texts_in(object, "observations"));
        const auto [at, is_new] = entities.try_emplace(entity.name, entity, items.size());
        if (is_new) items.push_back({.key = key_of(entity), .data = {}, .line = line});
        add_observations(at->second.first, entity.observations);
        Item& item = items[at->second.second];
        item.data = data_of(at->second.first);
        TRY(check_data(item));
        return check_count(items);
    };
    const auto take = [&](const Object& object, std::size_t line) -> Status {
        ASSIGN_OR_RETURN(const std::string type, text_in(object, "type"));
        if (type == "entity") return take_entity(object, line);
        if (type != "relation")
            return fail(Errc::invalid_field, "type: must be entity or relation");
        Relation relation;
        ASSIGN_OR_RETURN(relation.from, text_in(object, "from"));
        ASSIGN_OR_RETURN(relation.to, text_in(object, "to"));
        ASSIGN_OR_RETURN(relation.type, text_in(object, "relationType"));
        Item item{.key = key_of(relation), .data = data_of(relation)};
        TRY(check_data(item));
        return add(items, std::optional(std::move(item)), line);
    };
    TRY(for_lines(text, take));
    return items;
}

Result<std::vector<Item>> read_openmemory(std::string_view text) {
    std::vector<Item> items;
    const Result<json::Value> whole = json::parse(trimmed(text, kBlanks), kLarge);
    const boost::json::array* const list = whole ? memories_of(*whole) : nullptr;
    if (list != nullptr) {
        const auto categories = whole->is_object() ? categories_of(whole->get_object())
                                                   : std::map<std::string, std::string>();
        for (std::size_t i = 0; i < list->size(); ++i) {
            const std::string name = "memories." + std::to_string(i);
            if (!(*list)[i].is_object())
                return fail(Errc::invalid_field, name + ": must be an object");
            const Status added = add(items, memory_of((*list)[i].get_object(), categories), i + 1);
            if (!added) return fail(added.error().code, name + "." + added.error().detail);
        }
        return items;
    }
    if (!whole && text.find("\n{") == std::string_view::npos) return whole.error();
    TRY(for_lines(text, [&](const Object& object, std::size_t line) {
        return add(items, memory_of(object, {}), line);
    }));
    return items;
}

}  // namespace dyad::import

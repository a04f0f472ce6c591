#include "model/json_patch.hpp"

#include "base/enum_names.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace dyad::json {
namespace {

using Tokens = std::span<const std::string>;

void merge_into(Value& target, const Value& patch) {
    if (!patch.is_object()) {
        target = patch;
        return;
    }
    if (!target.is_object()) target.emplace_object();
    auto& members = target.get_object();
    for (const auto& change : patch.get_object()) {
        if (change.value().is_null()) {
            members.erase(change.key());
        } else {
            merge_into(members[change.key()], change.value());
        }
    }
}

// One operation, read and found well formed.
struct Operation {
    enum class Kind : std::uint8_t { add, remove, replace, move, copy, test };
    Kind kind;
    std::vector<std::string> path;
    std::vector<std::string> from;  // of move and copy
    const Value* value = nullptr;   // of add, replace and test
};

constexpr std::string_view kKindNames[] = {"add", "remove", "replace", "move", "copy", "test"};

Error malformed(std::size_t index, std::string_view what) {
    std::string detail = "patch operation " + std::to_string(index);
    return fail(Errc::invalid_field, detail.append(": ").append(what));
}

Result<std::vector<std::string>> read_pointer(const boost::json::object& operation,
                                              std::string_view field, std::size_t index) {
    const Value* text = operation.if_contains(field);
    if (text == nullptr || !text->is_string())
        return malformed(index, std::string(field) + " must be a string, a JSON Pointer");
    auto tokens = parse_pointer(text->get_string());
    if (!tokens) return malformed(index, std::string(field) + ": " + tokens.error().detail);
    return tokens;
}

Result<Operation> read_operation(const Value& text, std::size_t index) {
    using Kind = Operation::Kind;
    if (!text.is_object()) return malformed(index, "must be an object");
    const auto& fields = text.get_object();
    const Value* op = fields.if_contains("op");
    const auto kind = op != nullptr && op->is_string()
                          ? value_in<Kind>(kKindNames, op->get_string())
                          : std::optional<Kind>();
    if (!kind) return malformed(index, "op must be add, remove, replace, move, copy or test");
    Operation operation{*kind, {}, {}, nullptr};
    ASSIGN_OR_RETURN(operation.path, read_pointer(fields, "path", index));
    if (*kind == Kind::move || *kind == Kind::copy) {
        ASSIGN_OR_RETURN(operation.from, read_pointer(fields, "from", index));
    } else if (*kind != Kind::remove) {
        operation.value = fields.if_contains("value");
        if (operation.value == nullptr) return malformed(index, "value is missing");
    }
    return operation;
}

// Applies operations to a copy of the document. Each returns why it does not apply, if it does not.
class Patcher {
  public:
    Patcher(const Value& document, std::size_t bytes_max)
        : document_(document), copy_bytes_left_(bytes_max) {}
    Value take() { return std::move(document_); }

    Status apply(const Operation& operation) {
        switch (operation.kind) {
            case Operation::Kind::add:
                return add(operation.path, *operation.value);
            case Operation::Kind::remove:
                return remove(operation.path);
            case Operation::Kind::replace:
                return replace(operation.path, *operation.value);
            case Operation::Kind::move:
                return move(operation.from, operation.path);
            case Operation::Kind::copy:
                return copy(operation.from, operation.path);
            case Operation::Kind::test:
                return test(operation.path, *operation.value);
        }
        CHECK(false);
    }

  private:
    static Error not_applicable(std::string_view why) {
        return fail(Errc::patch_failed, std::string(why));
    }

    static bool too_deep(Tokens path, const Value& value) {
        return path.size() + depth(value) > static_cast<std::size_t>(limits::json_depth_max);
    }
    // Checked with every step: a patch can double the depth with each operation.
    static Error depth_error() {
        return fail(Errc::too_large, "the result is nested deeper than json_depth_max = " +
                                         std::to_string(limits::json_depth_max));
    }

    Status add(Tokens path, Value value) {
        if (too_deep(path, value)) return depth_error();
        if (path.empty()) {
            document_ = std::move(value);
            return Done{};
        }
        Value* parent = find_in(document_, path.first(path.size() - 1));
        if (parent == nullptr) return not_applicable("the parent of path does not exist");
        if (parent->is_object()) {
            parent->get_object().insert_or_assign(path.back(), std::move(value));
            return Done{};
        }
        if (!parent->is_array())
            return not_applicable("the parent of path is neither an object nor an array");
        auto& array = parent->get_array();
        const auto index = path.back() == "-" ? array.size() : index_of(path.back());
        if (!index || *index > array.size())
            return not_applicable("path is not an index of the array, nor \"-\"");
        array.insert(array.begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
        return Done{};
    }

    Status remove(Tokens path) {
        if (path.empty())
            return not_applicable("the whole document cannot be removed by a patch; delete it");
        if (!remove_at(document_, path)) return not_applicable("nothing stands at path");
        return Done{};
    }

    Status replace(Tokens path, const Value& value) {
        if (too_deep(path, value)) return depth_error();
        Value* at = find_in(document_, path);
        if (at == nullptr) return not_applicable("nothing stands at path");
        *at = value;
        return Done{};
    }

    Status move(Tokens from, Tokens path) {
        Value* at = find_in(document_, from);
        if (at == nullptr) return not_applicable("nothing stands at from");
        if (std::equal(from.begin(), from.end(), path.begin(), path.end())) return Done{};
        if (from.size() < path.size() && std::equal(from.begin(), from.end(), path.begin()))
            return not_applicable("a value cannot be moved into itself");
        if (from.empty()) return not_applicable("the whole document cannot be moved");
        Value value = std::move(*at);
        TRY(remove(from));
        return add(path, std::move(value));
    }

    Status copy(Tokens from, Tokens path) {
        const Value* at = find_in(document_, from);
        if (at == nullptr) return not_applicable("nothing stands at from");
        const std::size_t bytes = canonical(*at).size();
        if (bytes > copy_bytes_left_)
            return fail(Errc::too_large, "the patch copies more than a document can hold");
        copy_bytes_left_ -= bytes;
        return add(path, *at);
    }

    Status test(Tokens path, const Value& value) {
        const Value* at = find_in(document_, path);
        if (at == nullptr) return not_applicable("nothing stands at path");
        if (!equal(*at, value)) return not_applicable("the value at path is another one");
        return Done{};
    }

    Value document_;
    std::size_t copy_bytes_left_;
};

Error name_operation(Error error, std::size_t index, const Operation& operation) {
    std::string detail = "patch operation " + std::to_string(index);
    detail.append(" (").append(name_in(kKindNames, operation.kind));
    detail.append(" \"").append(to_pointer(operation.path)).append("\"): ").append(error.detail);
    error.detail = std::move(detail);
    return error;
}

}  // namespace

Value merge_patch(Value target, const Value& patch) {
    merge_into(target, patch);
    return target;
}

Result<Value> apply_patch(const Value& document, const Value& patch, std::size_t bytes_max) {
    if (!patch.is_array())
        return fail(Errc::invalid_field, "patch: must be an array of operations (RFC 6902)");
    std::vector<Operation> operations;
    operations.reserve(patch.get_array().size());
    for (const Value& text : patch.get_array()) {
        ASSIGN_OR_RETURN(Operation operation, read_operation(text, operations.size()));
        operations.push_back(std::move(operation));
    }
    Patcher patcher(document, bytes_max);
    for (std::size_t i = 0; i < operations.size(); ++i)
        if (const Status applied = patcher.apply(operations[i]); !applied)
            return name_operation(applied.error(), i, operations[i]);
    Value result = patcher.take();
    TRY(check(result));
    if (canonical(result).size() > bytes_max)
        return fail(Errc::too_large, "the result is larger than document_bytes_max = " +
                                         std::to_string(bytes_max) + " bytes; split the document");
    return result;
}

}  // namespace dyad::json

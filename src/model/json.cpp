#include "model/json.hpp"

#include "model/json_lexer.hpp"
#include "model/json_pointer.hpp"
#include "model/json_reader.hpp"

#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace dyad::json {
namespace {

// Reader's sink that builds the tree. Only the innermost open container changes, so pointers to
// those around it stay good.
class TreeBuilder {
  public:
    Value take() { return std::move(root_); }

    void begin_object() {
        slot_->emplace_object();
        open_.push_back(slot_);
    }
    void begin_array() {
        slot_->emplace_array();
        open_.push_back(slot_);
    }
    bool end_object(Lexer&) {
        open_.pop_back();
        return true;
    }
    void end_array() { open_.pop_back(); }
    bool name(Lexer& lexer, const RawString& raw, std::size_t position) {
        const auto [member, is_new] = open_.back()->get_object().emplace(unescaped(raw), nullptr);
        slot_ = &member->value();
        return is_new ||
               lexer.fail_at(position, Errc::invalid_field,
                             "a member name that stands twice in its object; keep one of the two");
    }
    void element() { slot_ = &open_.back()->get_array().emplace_back(nullptr); }
    void string(const RawString& raw) { slot_->emplace_string() = unescaped(raw); }
    bool number(Lexer& lexer, const Number& number) {
        if (!lexer.keeps(number)) return false;
        std::int64_t integer = 0;
        std::uint64_t large = 0;
        if (number.into(integer))
            slot_->emplace_int64() = integer;
        else if (number.into(large))
            slot_->emplace_uint64() = large;
        else
            slot_->emplace_double() = number.real;
        return true;
    }
    void literal(std::string_view word) {
        if (word != "null") slot_->emplace_bool() = word == "true";
    }

    // To the value that is read last.
    std::string pointer() const {
        std::string out;
        for (const Value* container : open_) {
            if (const auto* array = container->if_array())
                append_token(out, std::to_string(array->size() - 1));
            else
                append_token(out, std::prev(container->get_object().end())->key());
        }
        return out;
    }

  private:
    boost::json::string_view unescaped(const RawString& raw) {
        if (!raw.escaped) return {raw.body.data(), raw.body.size()};
        scratch_.clear();
        append_unescaped(scratch_, raw);
        return scratch_;
    }

    Value root_;
    Value* slot_ = &root_;  // where the next value goes
    std::vector<Value*> open_;
    std::string scratch_;
};

}  // namespace

std::optional<Value> read_value(Lexer& lexer, const ParseLimits& limits) {
    TreeBuilder tree;
    if (!Reader<TreeBuilder>(lexer, limits, tree).run()) return std::nullopt;
    return tree.take();
}

Result<Value> parse(std::string_view text, const ParseLimits& limits) {
    Lexer lexer(text);
    lexer.skip_space();
    std::optional<Value> value = read_value(lexer, limits);
    if (!value || !lexer.finish()) return lexer.take_error();
    return *std::move(value);
}

std::string pointer_to(std::string_view text, std::size_t position) {
    const ParseLimits limits;
    TreeBuilder tree;
    Lexer lexer(text.substr(0, position));
    lexer.skip_space();
    Reader<TreeBuilder>(lexer, limits, tree).run();  // ends where the text does
    return tree.pointer();
}

}  // namespace dyad::json

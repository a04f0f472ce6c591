#include "model/json.hpp"

#include "model/json_lexer.hpp"
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
        return is_new || lexer.fail_at(position, Errc::invalid_field, kRepeatedName);
    }
    void element() { slot_ = &open_.back()->get_array().emplace_back(nullptr); }
    void string(const RawString& raw) { slot_->emplace_string() = unescaped(raw); }
    bool number(Lexer& lexer, const Number& number) {
        if (!lexer.keeps(number)) return false;
        if (!number.is_integer) {
            slot_->emplace_double() = number.real;
        } else if (number.negative) {
            slot_->emplace_int64() = static_cast<std::int64_t>(~number.magnitude + 1);
        } else if (std::in_range<std::int64_t>(number.magnitude)) {
            slot_->emplace_int64() = static_cast<std::int64_t>(number.magnitude);
        } else {
            slot_->emplace_uint64() = number.magnitude;
        }
        return true;
    }
    void literal(std::string_view word) {
        if (word != "null") slot_->emplace_bool() = word == "true";
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

Result<Value> parse(std::string_view text, const ParseLimits& limits) {
    TreeBuilder tree;
    Lexer lexer(text);
    lexer.skip_space();
    if (!Reader<TreeBuilder>(lexer, limits, tree).run() || !lexer.finish())
        return lexer.take_error();
    return tree.take();
}

}  // namespace dyad::json

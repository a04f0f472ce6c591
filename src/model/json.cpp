#include "model/json.hpp"

#include "model/json_lexer.hpp"
#include "model/json_reader.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <forward_list>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace dyad::json {
namespace {

constexpr std::string_view kRepeatedName =
    "a member name that stands twice in its object; keep one of the two";

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
    void number(const Number& number) {
        if (!number.is_integer) {
            slot_->emplace_double() = number.real;
        } else if (number.negative) {
            slot_->emplace_int64() = static_cast<std::int64_t>(~number.magnitude + 1);
        } else if (std::in_range<std::int64_t>(number.magnitude)) {
            slot_->emplace_int64() = static_cast<std::int64_t>(number.magnitude);
        } else {
            slot_->emplace_uint64() = number.magnitude;
        }
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

// Reader's sink that writes canonical text as it goes, and puts the members of an object in order
// when the object ends, if they were not. Members move once per level, so the work is bounded by
// depth times length.
class CanonicalWriter {
  public:
    explicit CanonicalWriter(std::size_t text_bytes) {
        out_.reserve(text_bytes);
        members_.reserve(32);
        objects_.reserve(8);
    }
    std::string take() { return std::move(out_); }

    void begin_object() {
        out_.push_back('{');
        objects_.push_back({members_.size(), true});
    }
    void begin_array() { out_.push_back('['); }
    bool end_object(Lexer& lexer) {
        const Object object = objects_.back();
        objects_.pop_back();
        if (!object.in_order && !reorder(lexer, object.first_member)) return false;
        members_.resize(object.first_member);
        out_.push_back('}');
        return true;
    }
    void end_array() { out_.push_back(']'); }
    bool name(Lexer&, const RawString& raw, std::size_t) {
        Object& object = objects_.back();
        const bool first = members_.size() == object.first_member;
        if (!first) out_.push_back(',');
        const std::size_t start = out_.size();
        std::string_view name = raw.body;
        if (raw.escaped) {
            append_unescaped(unescaped_.emplace_front(), raw);
            name = unescaped_.front();
        }
        if (!first && !name_before(members_.back().name, name)) object.in_order = false;
        members_.push_back({name, start, 0});
        string(raw);
        out_.push_back(':');
        return true;
    }
    void element() {
        if (out_.back() != '[') out_.push_back(',');
    }
    void string(const RawString& raw) {
        if (raw.escaped) {
            scratch_.clear();
            append_unescaped(scratch_, raw);
            append_string(out_, scratch_);
        } else {
            out_.push_back('"');
            out_.append(raw.body);
            out_.push_back('"');
        }
    }
    void number(const Number& number) {
        if (!number.is_integer) return append_real(out_, number.real);
        if (number.negative) out_.push_back('-');
        append_integer(out_, number.magnitude);
    }
    void literal(std::string_view word) { out_.append(word); }

  private:
    struct Member {
        std::string_view name;  // unescaped
        std::size_t start;      // in out_
        std::size_t end;        // in out_, without the comma; set when its object ends
    };
    struct Object {
        std::size_t first_member;
        bool in_order;
    };

    bool reorder(Lexer& lexer, std::size_t first_member) {
        const auto first = members_.begin() + static_cast<std::ptrdiff_t>(first_member);
        const std::size_t start = first->start;
        for (auto member = first; member + 1 != members_.end(); ++member)
            member->end = (member + 1)->start - 1;
        members_.back().end = out_.size();
        std::sort(first, members_.end(),
                  [](const Member& a, const Member& b) { return name_before(a.name, b.name); });
        scratch_.clear();
        for (auto member = first; member != members_.end(); ++member) {
            if (member != first) {
                if ((member - 1)->name == member->name)
                    return lexer.fail_at(lexer.position(), Errc::invalid_field, kRepeatedName);
                scratch_.push_back(',');
            }
            scratch_.append(out_, member->start, member->end - member->start);
        }
        out_.replace(start, std::string::npos, scratch_);
        return true;
    }

    std::string out_;
    std::vector<Member> members_;               // of the open objects, outermost first
    std::vector<Object> objects_;               // the open ones
    std::forward_list<std::string> unescaped_;  // names; their addresses must not change
    std::string scratch_;
};

}  // namespace

Result<Value> parse(std::string_view text, const ParseLimits& limits) {
    TreeBuilder tree;
    if (Status read = Reader<TreeBuilder>(text, limits, tree).run(); !read) return read.error();
    return tree.take();
}

Result<std::string> canonicalize(std::string_view text, const ParseLimits& limits) {
    CanonicalWriter writer(text.size());
    if (Reader<CanonicalWriter>(text, limits, writer).run()) return writer.take();
    // A repeated name shows here only when its object ends: let the one that sees it at once speak.
    const Result<Value> tree = parse(text, limits);
    CHECK(!tree);
    return tree.error();
}

}  // namespace dyad::json

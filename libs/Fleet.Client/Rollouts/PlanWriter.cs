using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using YamlDotNet.RepresentationModel;

namespace Fleet.Client.Rollouts;

/// <summary>Makes YAML of a message by its descriptor.</summary>
internal static class PlanWriter
{
    public static YamlMappingNode Node(IMessage message)
    {
        var node = new YamlMappingNode();
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder().Where(field => IsSet(field, message)))
        {
            node.Add(field.Name, Node(field, field.Accessor.GetValue(message)));
        }

        return node;
    }

    private static YamlNode Node(FieldDescriptor field, object value)
    {
        if (field.IsMap)
        {
            var map = (IDictionary)value;
            var valueField = field.MessageType.FindFieldByNumber(2);
            return new YamlMappingNode(map.Keys.Cast<string>().Order(StringComparer.Ordinal)
                .Select(key => KeyValuePair.Create<YamlNode, YamlNode>(key, PlanScalars.Text(valueField, map[key]!))));
        }

        return field.IsRepeated ? new YamlSequenceNode(((IList)value).Cast<object>().Select(item => Single(field, item))) : Single(field, value);
    }

    private static YamlNode Single(FieldDescriptor field, object value) =>
        value is IMessage message and not Duration ? Node(message) : PlanScalars.Text(field, value);

    private static bool IsSet(FieldDescriptor field, IMessage message) => field.Accessor.GetValue(message) switch
    {
        null => false,
        ICollection collection => collection.Count > 0,
        var value when field.HasPresence => field.Accessor.HasValue(message),
        double number => number != 0,
        var value => Convert.ToInt32(value, null) != 0,
    };
}
